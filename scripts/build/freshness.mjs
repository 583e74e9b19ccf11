// Whether a build is still that of its sources: the second `npm start` should not build again.
import { createHash } from 'node:crypto';
import { existsSync, readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const RECORD = 'dist/.build.json';

/**
 * @typedef {object} BuildRecord
 * @property {string} engine                   version of Node.js, for which the code caches are
 * @property {Readonly<Record<string, string>>} inputs  digest of each source file
 * @property {readonly string[]} outputs
 */

/**
 * @param {string} directory
 * @returns {boolean}
 */
export function isFresh(directory) {
  /** @type {BuildRecord} */
  let record;
  try {
    record = JSON.parse(readFileSync(join(directory, RECORD), 'utf8'));
  } catch {
    return false;
  }
  return (
    record.engine === process.version &&
    record.outputs.every((file) => existsSync(join(directory, file))) &&
    Object.entries(record.inputs).every(([file, digest]) => digestOf(join(directory, file)) === digest) &&
    commonInputs(directory).every((file) => file in record.inputs)
  );
}

/**
 * @param {string} directory
 * @param {{ inputs: readonly string[], outputs: readonly string[] }} build
 */
export function writeBuildRecord(directory, { inputs, outputs }) {
  const files = [...new Set([...inputs, ...commonInputs(directory)])].sort();
  /** @type {BuildRecord} */
  const record = {
    engine: process.version,
    inputs: Object.fromEntries(files.map((file) => [file, digestOf(join(directory, file)) ?? ''])),
    outputs,
  };
  const path = join(directory, RECORD);
  writeFileSync(`${path}.new`, JSON.stringify(record, null, 1));
  renameSync(`${path}.new`, path);
}

/**
 * What decides about every bundle. Installed packages are covered by the lockfile.
 * @param {string} directory
 */
function commonInputs(directory) {
  const manifests = ['packages', 'apps', '.'].flatMap((folder) =>
    readdirSync(join(directory, folder), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => join(folder, entry.name, 'package.json')),
  );
  const scripts = readdirSync(join(directory, 'scripts/build')).map((name) => join('scripts/build', name));
  return [
    'package.json',
    'package-lock.json',
    'tsconfig.json',
    'scripts/build.mjs',
    ...scripts,
    ...manifests,
  ].filter((file) => !file.startsWith('node_modules') && existsSync(join(directory, file)));
}

/** @param {string} file */
function digestOf(file) {
  try {
    return createHash('sha256').update(readFileSync(file)).digest('base64url');
  } catch {
    return undefined;
  }
}
