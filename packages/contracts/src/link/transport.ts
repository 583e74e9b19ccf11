/** What a transport tells its owner. */
export interface TransportEvents {
  /** Bytes in the order in which the peer sent them; piece borders mean nothing. */
  onBytes(bytes: Uint8Array): void;
  /** After `send` returned `false`: there is room again. */
  onDrain(): void;
  /** Once, the last event: the connection is gone, for whatever reason. */
  onClosed(message: string): void;
}

/**
 * An ordered, reliable connection for bytes that is open already: gRPC stream, TLS socket, memory. It delivers nothing
 * before `start`, and never calls back out of `send`.
 */
export interface LinkTransport {
  /** Starts delivery. Once. */
  start(events: TransportEvents): void;
  /**
   * Sends bytes, which then belong to the transport. `false` means: taken, but wait for `onDrain` before the next. A
   * transport keeps little (some 10 kB), because what it keeps cannot be overtaken any more. After the end: ignored.
   */
  send(bytes: Uint8Array): boolean;
  /** Ends the connection after what was sent. Idempotent. */
  close(): void;
  /** Cuts the connection at once. Idempotent. */
  destroy(): void;
}
