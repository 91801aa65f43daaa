import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ConfigError, toError } from '../base/errors.js';
import type { Contract } from '../model/contract.js';

/**
 * The contracts that modules export.
 * @throws ConfigError naming the file when it cannot be loaded or exports none.
 */
export async function loadContracts(files: readonly string[]): Promise<Contract[]> {
  const contracts = new Map<string, Contract>();
  for (const file of files) {
    const exported = Object.values(await load(file)).filter(isContract);
    if (exported.length === 0) {
      throw new ConfigError('JR_CONFIG_INVALID', `${file} exports no contract.`, {
        mend: 'Give the compiled file (.js) in which defineJob() is called and its result exported.',
      });
    }
    for (const contract of exported) contracts.set(contract.name, contract);
  }
  return [...contracts.values()];
}

async function load(file: string): Promise<Record<string, unknown>> {
  try {
    return (await import(pathToFileURL(resolve(file)).href)) as Record<string, unknown>;
  } catch (cause) {
    throw new ConfigError('JR_CONFIG_INVALID', `${file} cannot be loaded: ${toError(cause).message}.`, {
      mend: 'Give the path of a compiled module (.js).',
      cause,
    });
  }
}

function isContract(value: unknown): value is Contract {
  const { name, queue, payload } = (value ?? {}) as Partial<Contract>;
  return typeof name === 'string' && typeof queue?.name === 'string' && payload?.['~standard'] !== undefined;
}
