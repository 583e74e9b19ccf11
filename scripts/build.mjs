// `npm run build`: one CommonJS bundle per program in dist/. Does nothing when the sources are those of the last build.
import { execFile } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { BUNDLES, NATIVE_PACKAGES } from './build/bundles.mjs';
import { isFresh, writeBuildRecord } from './build/freshness.mjs';
import { forbiddenIn, packagesIn } from './build/packages-in.mjs';
import { without } from './build/without-plugin.mjs';

const DIRECTORY = dirname(dirname(fileURLToPath(import.meta.url)));
const DIST = join(DIRECTORY, 'dist');

/** A build that cannot be used; the message says why. */
export class BuildError extends Error {
  name = 'BuildError';
}

/**
 * @param {object} [options]
 * @param {boolean} [options.force]
 * @param {(text: string) => void} [options.log]
 * @param {() => void} [options.onStart] called when there is something to do
 * @returns {Promise<boolean>} false when there was nothing to do
 */
export async function build({ force = false, log = console.log, onStart = () => {} } = {}) {
  if (!force && isFresh(DIRECTORY)) return false;
  onStart();
  const startedMs = performance.now();
  mkdirSync(DIST, { recursive: true });
  const { version } = JSON.parse(readFileSync(join(DIRECTORY, 'package.json'), 'utf8'));
  const built = await Promise.all(BUNDLES.map((bundle) => bundleOne(bundle, version)));
  const complaints = built.flatMap(({ complaint }) => (complaint === undefined ? [] : [complaint]));
  if (complaints.length > 0) throw new BuildError(complaints.join('\n'));

  for (const { files } of built)
    for (const { path, contents, mode } of files) replaceFile(path, contents, mode);
  await Promise.all(BUNDLES.map((bundle) => makeCodeCache(bundle)));
  removeStrangers(built.flatMap(({ files }) => files.map(({ path }) => path)));
  writeBuildRecord(DIRECTORY, {
    inputs: built.flatMap(({ inputs }) => inputs),
    outputs: BUNDLES.map(({ name }) => `dist/${name}.cjs`),
  });
  for (const { name, bytes, heaviest } of built) {
    log(`  ${`dist/${name}.cjs`.padEnd(24)}${kilobytes(bytes).padStart(8)}  ${heaviest}`);
  }
  log(`  built in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
  return true;
}

/**
 * @param {import('./build/bundles.mjs').Bundle} bundle
 * @param {string} version
 */
async function bundleOne(bundle, version) {
  // Loaded late: `npm start` asks whether there is anything to build before packages are installed.
  const esbuild = await import('esbuild');
  const outfile = outputOf(bundle);
  const result = await esbuild
    .build({
      absWorkingDir: DIRECTORY,
      entryPoints: [bundle.entry],
      outfile,
      write: false,
      metafile: true,
      bundle: true,
      platform: 'node',
      format: 'cjs',
      // Native packages are loaded with require, also where the source imports them late: the code cache knows no import().
      supported: { 'dynamic-import': false },
      target: 'node20',
      minify: true,
      keepNames: bundle.keepsNames === true,
      legalComments: 'external',
      external: NATIVE_PACKAGES,
      banner: { js: `${bundle.isProgram ? '#!/usr/bin/env node\n' : ''}"use strict";` },
      define: {
        OAKESTRA_VERSION: JSON.stringify(version),
        // Evaluated where it stands, so that bundles without a use pay nothing.
        'import.meta.url': 'importMetaUrl',
        'import.meta.dirname': '__dirname',
        'import.meta.filename': '__filename',
      },
      inject: [join(DIRECTORY, 'scripts/build/import-meta-url.js')],
      plugins: [without(bundle.without ?? [])],
      logLevel: 'silent',
    })
    .catch((error) => {
      throw new BuildError(`dist/${bundle.name}.cjs: ${error.message}`);
    });
  const [output] =
    Object.entries(result.metafile.outputs)
      .find(([path]) => path.endsWith('.cjs'))
      ?.slice(1) ?? [];
  if (output === undefined) throw new BuildError(`dist/${bundle.name}.cjs was not made`);
  const packages = packagesIn(output);
  const forbidden = forbiddenIn(bundle, packages);
  return {
    name: bundle.name,
    bytes: output.bytes,
    heaviest: [...packages]
      .sort(([, a], [, b]) => b - a)
      .slice(0, 4)
      .map(([name, bytes]) => `${name || 'our own'} ${kilobytes(bytes)}`)
      .join(', '),
    inputs: Object.keys(result.metafile.inputs).filter((path) => !path.includes('node_modules/')),
    files: result.outputFiles
      .filter(({ contents }) => contents.length > 0)
      .map(({ path, contents }) => ({
        path,
        contents,
        mode: bundle.isProgram && path.endsWith('.cjs') ? 0o755 : 0o644,
      })),
    complaint:
      forbidden.length === 0
        ? undefined
        : `dist/${bundle.name}.cjs must not contain ${forbidden.join(', ')} (see scripts/build/bundles.mjs). ` +
          `How it got in: npx esbuild ${bundle.entry} --bundle --platform=node --analyze=verbose`,
  };
}

/** @param {import('./build/bundles.mjs').Bundle} bundle */
async function makeCodeCache(bundle) {
  const path = outputOf(bundle);
  const cache = `${path}.cache`;
  if (!bundle.hasCodeCache) return;
  const script = join(DIRECTORY, 'scripts/build/code-cache.mjs');
  try {
    await promisify(execFile)(process.execPath, [script, path, cache], { timeout: 60_000 });
  } catch (error) {
    rmSync(cache, { force: true });
    throw new BuildError(`dist/${bundle.name}.cjs does not load: ${error.stderr || error.message}`);
  }
}

/**
 * What earlier builds made and this one does not.
 * @param {readonly string[]} files
 */
function removeStrangers(files) {
  const known = new Set(files);
  for (const { hasCodeCache, name } of BUNDLES) if (hasCodeCache) known.add(join(DIST, `${name}.cjs.cache`));
  for (const name of readdirSync(DIST)) {
    const path = join(DIST, name);
    if (/\.cjs(\.cache|\.LEGAL\.txt)?$/.test(name) && !known.has(path)) rmSync(path, { force: true });
  }
}

/** @param {import('./build/bundles.mjs').Bundle} bundle */
function outputOf({ name }) {
  return join(DIST, `${name}.cjs`);
}

/**
 * In one step: a program that runs from here never sees half a file.
 * @param {string} path
 * @param {Uint8Array} contents
 * @param {number} mode
 */
function replaceFile(path, contents, mode) {
  if (existsSync(path) && readFileSync(path).equals(contents)) return;
  writeFileSync(`${path}.new`, contents, { mode });
  chmodSync(`${path}.new`, mode);
  renameSync(`${path}.new`, path);
}

/** @param {number} bytes */
function kilobytes(bytes) {
  return `${Math.round(bytes / 1000)} kB`;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  try {
    const isNew = await build({ force: process.argv.includes('--force') });
    if (!isNew) console.log('  dist/ is up to date');
  } catch (error) {
    if (!(error instanceof BuildError)) throw error;
    console.error(`The build failed:\n${error.message}`);
    process.exitCode = 1;
  }
}
