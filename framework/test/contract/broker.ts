import { expect } from 'chai';
import { connecting } from './promises/connecting.js';
import { consuming } from './promises/consuming.js';
import { deadLettering } from './promises/dead-lettering.js';
import { delaying } from './promises/delaying.js';
import { declaring } from './promises/declaring.js';
import { interruption } from './promises/interruption.js';
import { ordering } from './promises/ordering.js';
import { publishing } from './promises/publishing.js';
import { replying } from './promises/replying.js';
import { resizing } from './promises/resizing.js';
import { routing } from './promises/routing.js';
import { settling } from './promises/settling.js';
import { streaming } from './promises/streaming.js';
import { type BrokerFactory, Scene } from './scene.js';

/** Some promises of the port, as tests; `scene` gives the scene of the test that runs. */
export type BrokerPromises = (scene: () => Scene) => void;

/** What every adapter of the `Broker` port promises. RabbitMQ is the truth: an adapter that differs is wrong. */
export function describeBroker(name: string, make: BrokerFactory): void {
  describe(`Broker: ${name}`, () => {
    const leaks: string[] = [];
    let scene: Scene;
    const current = () => scene;

    beforeEach(async () => {
      scene = await Scene.open(make);
    });
    afterEach(async () => {
      leaks.push(...(await scene.end()));
    });
    after('leaves no queue and no connection', () => {
      expect(leaks).to.deep.equal([]);
    });

    describe('connecting', () => connecting(current, make));
    describe('declaring', () => declaring(current));
    describe('routing', () => routing(current));
    describe('publishing', () => publishing(current));
    describe('consuming', () => consuming(current));
    describe('resizing', () => resizing(current));
    describe('settling', () => settling(current));
    describe('ordering', () => ordering(current));
    describe('dead-lettering', () => deadLettering(current));
    describe('delaying', () => delaying(current));
    describe('replying', () => replying(current));
    describe('streaming', () => streaming(current));
    describe('interruption', () => interruption(current));
  });
}
