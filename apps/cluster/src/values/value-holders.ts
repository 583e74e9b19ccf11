/** Who has which version of a secret or config: instances, and what is on its way to one. */
export interface ValueHolders {
  /** The instance has these versions from now on; answers those that it has no more. */
  note(instance: string, versions: ReadonlySet<string>): readonly string[];
  /** Until the result is called. */
  hold(versions: readonly string[]): () => void;
  isHeld(version: string): boolean;
}

export function createValueHolders(): ValueHolders {
  const versionsOf = new Map<string, ReadonlySet<string>>();
  const counts = new Map<string, number>();

  const count = (version: string, change: 1 | -1): void => {
    const next = (counts.get(version) ?? 0) + change;
    if (next === 0) counts.delete(version);
    else counts.set(version, next);
  };

  return {
    note(instance, versions) {
      const before = versionsOf.get(instance);
      if (before === undefined && versions.size === 0) return [];
      if (versions.size === 0) versionsOf.delete(instance);
      else versionsOf.set(instance, versions);
      for (const version of versions) count(version, 1);
      for (const version of before ?? []) count(version, -1);
      return [...(before ?? [])].filter((version) => !versions.has(version));
    },
    hold(versions) {
      for (const version of versions) count(version, 1);
      let isHeld = true;
      return () => {
        if (isHeld) for (const version of versions) count(version, -1);
        isHeld = false;
      };
    },
    isHeld: (version) => counts.has(version),
  };
}
