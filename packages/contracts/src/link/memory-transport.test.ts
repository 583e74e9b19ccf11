import { linkConformance } from './conformance.ts';
import { createMemoryLink } from './memory-transport.ts';

linkConformance('memory', async () => ({ ...createMemoryLink(), dispose: async () => {} }));
