import { imageError } from './image-errors.ts';

/** An image name in its normal form; `tag` and `digest` may both be there, then the digest decides. */
export interface ImageReference {
  /** Host and, where written, port: `docker.io`, `localhost:5000`, `[::1]:5000`. */
  readonly registry: string;
  /** `library/nginx` */
  readonly repository: string;
  readonly tag?: string;
  /** `sha256:` and 64 hexadecimal digits. */
  readonly digest?: string;
}

const DEFAULT_REGISTRY = 'docker.io';
const OLD_DEFAULT_REGISTRY = 'index.docker.io';
const MAX_NAME_LENGTH = 255;

const COMPONENT = /^[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*$/;
const TAG = /^\w[\w.-]{0,127}$/;
const DIGEST = /^sha256:[0-9a-f]{64}$/;
const HOST_LABEL = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const HOST = new RegExp(`^(?:${HOST_LABEL}(?:\\.${HOST_LABEL})*|\\[[0-9a-fA-F:]+\\])(?::([0-9]{1,5}))?$`);

/**
 * Reads an image name as Docker does: `nginx` means `docker.io/library/nginx:latest`. Fails with
 * `image-reference-invalid` that says which part is wrong.
 */
export function parseImageReference(text: string): ImageReference {
  const refuse = (reason: string): never => {
    throw imageError('image-reference-invalid', `Image name ${JSON.stringify(text)}: ${reason}`, {
      details: { reference: text },
    });
  };
  if (text === '') refuse('it is empty; write for example "nginx:1.27"');
  if (/\s/.test(text)) refuse('it contains white space; remove it');
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text);
  if (scheme) refuse(`remove "${scheme[0]}", a name starts with the registry or the repository`);
  if (/^[0-9a-f]{64}$/.test(text)) refuse('this is an image ID; give a name, if need be with "@sha256:…"');

  const { name, tag, digest } = split(text);
  if (digest !== undefined && !DIGEST.test(digest)) {
    refuse(`the digest "${digest}" is not "sha256:" followed by 64 lower-case hexadecimal digits`);
  }
  if (tag !== undefined && !TAG.test(tag)) {
    refuse(
      `the tag "${tag}" may have up to 128 letters, digits, "_", "." and "-", and not start with "." or "-"`,
    );
  }
  const { registry, repository } = splitRegistry(name);
  const host = HOST.exec(registry);
  if (!host) refuse(`"${registry}" is not a host name with an optional port`);
  if (host?.[1] !== undefined && (Number(host[1]) < 1 || Number(host[1]) > 65535)) {
    refuse(`the port ${host[1]} is outside 1 to 65535`);
  }
  checkRepository(repository, refuse);
  if (registry.length + 1 + repository.length > MAX_NAME_LENGTH) {
    refuse(`registry and repository together are longer than ${MAX_NAME_LENGTH} characters`);
  }
  const effectiveTag = tag ?? (digest === undefined ? 'latest' : undefined);
  return {
    registry,
    repository,
    ...(effectiveTag === undefined ? {} : { tag: effectiveTag }),
    ...(digest === undefined ? {} : { digest }),
  };
}

/** The normal form in full: `docker.io/library/nginx:latest`. */
export function formatImageReference(reference: ImageReference): string {
  const tag = reference.tag === undefined ? '' : `:${reference.tag}`;
  const digest = reference.digest === undefined ? '' : `@${reference.digest}`;
  return `${reference.registry}/${reference.repository}${tag}${digest}`;
}

/** The name that means exactly one content: `docker.io/library/nginx@sha256:…`. */
export function pinnedImageReference(reference: ImageReference, digest: string): string {
  return `${reference.registry}/${reference.repository}@${digest}`;
}

/** As people write it: without the parts that Docker adds by itself. */
export function familiarImageReference(reference: ImageReference): string {
  const full = formatImageReference(reference);
  if (reference.registry !== DEFAULT_REGISTRY) return full;
  const withUser = full.slice(DEFAULT_REGISTRY.length + 1);
  const short = withUser.replace(/^library\//, '');
  // A first part such as "example.org" would be read as a registry when it came first.
  const isHostLike = (text: string): boolean => splitRegistry(text).registry !== DEFAULT_REGISTRY;
  return [short, withUser].find((text) => !isHostLike(text) && expand(text) === full) ?? full;
}

/** The normal form of a name without registry. */
function expand(text: string): string {
  const { registry, repository } = splitRegistry(text);
  return `${registry}/${repository}`;
}

function split(text: string): { name: string; tag: string | undefined; digest: string | undefined } {
  const at = text.indexOf('@');
  const beforeDigest = at < 0 ? text : text.slice(0, at);
  const digest = at < 0 ? undefined : text.slice(at + 1);
  // A colon before the last slash belongs to the port.
  const colon = beforeDigest.indexOf(':', beforeDigest.lastIndexOf('/') + 1);
  return colon < 0
    ? { name: beforeDigest, tag: undefined, digest }
    : { name: beforeDigest.slice(0, colon), tag: beforeDigest.slice(colon + 1), digest };
}

function splitRegistry(name: string): { registry: string; repository: string } {
  const slash = name.indexOf('/');
  const first = name.slice(0, Math.max(slash, 0));
  // A first part without dot, colon or capitals is a user of the default registry, not a host.
  const isHost = /[.:A-Z]/.test(first) || first === 'localhost';
  const host = isHost ? first : DEFAULT_REGISTRY;
  const registry = host === OLD_DEFAULT_REGISTRY ? DEFAULT_REGISTRY : host;
  const rest = isHost ? name.slice(slash + 1) : name;
  const isOfficial = registry === DEFAULT_REGISTRY && !rest.includes('/') && rest !== '';
  return { registry, repository: isOfficial ? `library/${rest}` : rest };
}

function checkRepository(repository: string, refuse: (reason: string) => never): void {
  if (repository === '') refuse('the repository is missing');
  for (const component of repository.split('/')) {
    if (COMPONENT.test(component)) continue;
    if (component === '') refuse('it has an empty part between slashes');
    if (/[A-Z]/.test(component)) refuse(`the repository must be in lower case: "${component}"`);
    refuse(`"${component}" may have lower-case letters and digits, separated by ".", "_", "__" or dashes`);
  }
}
