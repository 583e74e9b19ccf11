/** The names of processor architectures as Go and image indexes write them, by those of Node. */
const GO_NAMES: Readonly<Record<string, string>> = {
  x64: 'amd64',
  arm64: 'arm64',
  arm: 'arm',
  ia32: '386',
  ppc64: 'ppc64le',
  riscv64: 'riscv64',
  s390x: 's390x',
  loong64: 'loong64',
};

/** `amd64`, `arm64`, `arm`, …; an unknown name stays as it is. */
export function goArchitecture(nodeArchitecture: string): string {
  return GO_NAMES[nodeArchitecture] ?? nodeArchitecture;
}
