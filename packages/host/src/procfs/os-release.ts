/** Parses `/etc/os-release` into its variables (`ID`, `VERSION_ID`, …). */
export function parseOsRelease(text: string): Readonly<Record<string, string>> {
  const variables: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const match = /^([A-Z0-9_]+)=(["']?)(.*)\2$/.exec(line.trim());
    if (match?.[1] !== undefined) variables[match[1]] = (match[3] ?? '').replace(/\\(["'$`\\])/g, '$1');
  }
  return variables;
}
