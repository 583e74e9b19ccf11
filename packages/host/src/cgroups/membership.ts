/** In which cgroup a process is: path by controller; the unified tree has the empty name. */
export type CgroupMembership = Readonly<Record<string, string>>;

/** Parses `/proc/<pid>/cgroup` of any layout. */
export function parseCgroupMembership(text: string): CgroupMembership {
  const membership: Record<string, string> = {};
  for (const line of text.split('\n')) {
    // Paths may contain colons.
    const match = /^\d+:([^:]*):(.*)$/.exec(line);
    if (match === null) continue;
    for (const controller of (match[1] ?? '').split(',')) membership[controller] = match[2] ?? '';
  }
  return membership;
}
