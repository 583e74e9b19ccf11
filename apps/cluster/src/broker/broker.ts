import type { WorkerTopic } from '@oakestra/contracts/worker-wire';
import type { DownReason } from '@oakestra/ownership';

export interface BrokerEvents {
  /** A worker published on one of its topics. The broker vouches for the id. */
  message(workerId: string, topic: WorkerTopic, payload: string): void;
  /** Any sign of life. */
  heard(workerId: string): void;
  /** The session of the worker ended. `restarting` is not known here: the worker says it in `presence`. */
  gone(workerId: string, reason: DownReason): void;
}

/** The MQTT side of a cluster, embedded or external. */
export interface Broker {
  listen(events: BrokerEvents): Promise<void>;
  /** QoS 1, never retained: a retained command would be executed again after each reconnect (cluster-protocol 5.1). */
  publish(workerId: string, topic: WorkerTopic, payload: string): void;
  /** Ends the session of a worker, or of all. */
  drop(workerId?: string): void;
  connectedWorkers(): number;
  close(): Promise<void>;
}
