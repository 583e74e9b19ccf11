export interface Mount {
  readonly device: string;
  readonly mountpoint: string;
  readonly type: string;
  readonly options: readonly string[];
}

/** Parses `/proc/mounts`. Spaces and tabs in paths are written there as octal numbers. */
export function parseMounts(text: string): Mount[] {
  return text.split('\n').flatMap((line) => {
    const [device, mountpoint, type, options] = line.split(' ').map(unescapeOctal);
    if (device === undefined || mountpoint === undefined || type === undefined || options === undefined)
      return [];
    return [{ device, mountpoint, type, options: options.split(',') }];
  });
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));
}
