import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const folder = new URL('../data/', import.meta.resolve('vega-datasets'));

/** Real data, from the package vega-datasets (BSD-3-Clause). */
export type DataSet = 'airports' | 'seattle-weather' | 'stocks' | 'birdstrikes' | 'zipcodes' | 'github';

export function dataSetPath(name: DataSet): string {
  return fileURLToPath(new URL(`${name}.csv`, folder));
}

export function dataSet(name: DataSet): Buffer {
  return readFileSync(dataSetPath(name));
}
