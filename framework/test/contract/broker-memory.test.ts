import { MemoryBroker } from '../../src/adapters/memory/memory-broker.js';
import { MemoryNode } from '../../src/adapters/memory/memory-node.js';
import { describeBroker } from './broker.js';

const node = new MemoryNode();

describeBroker('memory', () => new MemoryBroker({ node }));
