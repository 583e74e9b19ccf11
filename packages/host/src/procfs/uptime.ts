/** Seconds since boot from `/proc/uptime`; undefined when it is not one. */
export function parseUptimeSeconds(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?) /.exec(text);
  return match === null ? undefined : Number(match[1]);
}
