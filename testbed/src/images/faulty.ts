import { busyboxTree } from './debian-files.ts';
import { buildImage, type ImageLayout } from './layout.ts';
import { hostPlatform } from './oci.ts';

/**
 * Images that misbehave, each in one way.
 * - `memory-hog`: takes MEGABYTES MiB (default: without end), says so, then holds them.
 * - `ignores-sigterm`: has to be killed.
 * - `exits`: says `ending with code …` and ends with EXIT_CODE (default 1) after AFTER_SECONDS (default 0).
 * - `command-missing`: its entry point does not exist.
 * - `chatty`: writes LINES lines (default 100,000) to standard output and as many to standard error, then sleeps.
 */
export type FaultyImage = 'memory-hog' | 'ignores-sigterm' | 'exits' | 'command-missing' | 'chatty';

const SCRIPTS: Readonly<Record<Exclude<FaultyImage, 'command-missing'>, string>> = {
  'memory-hog': `#!/bin/awk -f
BEGIN {
  piece = "0123456789abcdef"
  while (length(piece) < 1048576) piece = piece piece
  limit = ENVIRON["MEGABYTES"]
  while (limit == "" || taken < limit) held[taken++] = piece taken
  print "holding " taken " MiB"
  fflush()
  system("sleep 100000000")
}
`,
  'ignores-sigterm': `#!/bin/sh
trap '' TERM
echo "SIGTERM is ignored"
while :; do sleep 1; done
`,
  exits: `#!/bin/sh
trap 'exit 143' TERM
sleep "\${AFTER_SECONDS:-0}" &
wait $!
echo "ending with code \${EXIT_CODE:-1}"
exit "\${EXIT_CODE:-1}"
`,
  chatty: `#!/bin/sh
trap 'exit 0' TERM
awk -v lines="\${LINES:-100000}" 'BEGIN {
  for (i = 1; i <= lines; i++) {
    print "output line " i
    print "error line " i > "/dev/stderr"
  }
}'
sleep 100000000 &
wait $!
`,
};

export async function buildFaultyImage(fault: FaultyImage, cacheDirectory: string): Promise<ImageLayout> {
  const script = fault === 'command-missing' ? undefined : SCRIPTS[fault];
  return buildImage(
    fault,
    [
      {
        platform: hostPlatform(),
        layers: [
          { tree: await busyboxTree() },
          ...(script === undefined
            ? []
            : [{ tree: { 'bin/misbehave': { kind: 'file', content: script, mode: 0o755 } as const } }]),
        ],
        settings: { entrypoint: ['/bin/misbehave'] },
      },
    ],
    cacheDirectory,
  );
}
