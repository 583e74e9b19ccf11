export type { Broker, BrokerEvents } from './broker.ts';
export { createEmbeddedBroker } from './embedded-broker.ts';
