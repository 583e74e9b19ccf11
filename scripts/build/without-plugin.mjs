// Leaves parts of packages out that a program never uses: they would be compiled and kept in its memory all the same.

/**
 * Replaces modules by an empty one. Names are those of packages, or paths below node_modules.
 * @param {readonly string[]} names
 * @returns {import('esbuild').Plugin}
 */
export function without(names) {
  const paths = names.map((name) => `/node_modules/${name}`);
  return {
    name: 'without',
    setup(build) {
      build.onLoad({ filter: /\/node_modules\// }, ({ path }) =>
        paths.some((left) => path.includes(`${left}/`) || path.endsWith(left))
          ? { contents: 'module.exports = {};', loader: 'js' }
          : undefined,
      );
    },
  };
}
