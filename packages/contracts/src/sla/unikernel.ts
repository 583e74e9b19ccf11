import type { Violation } from '../errors.ts';

/** root-api 5.3: `code` lists one image per architecture, in the order of `arch`. */
export function unikernelViolations(path: string, service: Readonly<Record<string, unknown>>): Violation[] {
  if (service.virtualization !== 'unikernel') return [];
  const { arch, code } = service;
  if (arch === undefined || (Array.isArray(arch) && arch.length === 0)) {
    return [{ path: `${path}.arch`, message: 'is required for a unikernel, such as ["amd64"]' }];
  }
  // What is of the wrong type is said elsewhere.
  if (!Array.isArray(arch) || typeof code !== 'string') return [];
  const violations: Violation[] = [];
  const images = code.split(',');
  if (images.length !== arch.length) {
    const message = `must have one entry per image in code: ${arch.length} for ${images.length}`;
    violations.push({ path: `${path}.arch`, message });
  }
  if (images.length > 1 && images.some((image) => image.trim() === '')) {
    const message = 'must name an image between all of its commas, one per entry of arch';
    violations.push({ path: `${path}.code`, message });
  }
  const seen = new Set<unknown>();
  for (const [index, architecture] of arch.entries()) {
    if (typeof architecture !== 'string') continue;
    const entry = `${path}.arch[${index}]`;
    if (architecture.trim() === '')
      violations.push({ path: entry, message: 'must name an architecture, such as "amd64"' });
    else if (seen.has(architecture))
      violations.push({ path: entry, message: 'names an architecture that is in the list already' });
    seen.add(architecture);
  }
  return violations;
}
