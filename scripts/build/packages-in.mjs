// Which npm packages a bundle holds, by esbuild's own account.

/**
 * @param {string} path of a source file
 * @returns {string | undefined} the name of its package
 */
function packageOf(path) {
  const after = path.split('node_modules/').at(-1);
  if (after === undefined || after === path) return undefined;
  const [scope = '', name = ''] = after.split('/');
  return scope.startsWith('@') ? `${scope}/${name}` : scope;
}

/**
 * @param {import('esbuild').Metafile['outputs'][string]} output
 * @returns {Map<string, number>} bytes of each package in the bundle, our own code as ''
 */
export function packagesIn(output) {
  /** @type {Map<string, number>} */
  const sizes = new Map();
  for (const [path, { bytesInOutput }] of Object.entries(output.inputs)) {
    const name = packageOf(path) ?? '';
    sizes.set(name, (sizes.get(name) ?? 0) + bytesInOutput);
  }
  for (const { path, external } of output.imports) {
    if (external && !path.startsWith('node:') && !/^[a-z_/]+$/.test(path))
      sizes.set(path, sizes.get(path) ?? 0);
  }
  return sizes;
}

/**
 * @param {import('./bundles.mjs').Bundle} bundle
 * @param {Map<string, number>} packages
 * @returns {string[]} the packages that must not be there
 */
export function forbiddenIn({ forbidden }, packages) {
  return [...packages.keys()].filter(
    (name) => name !== '' && (forbidden === 'all' || forbidden.includes(name)),
  );
}
