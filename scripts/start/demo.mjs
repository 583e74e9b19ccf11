// The demo application: its registry, its image, its instance.

import { createRequire } from 'node:module';
import { createServer } from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { SetupError } from '../setup/index.mjs';
import { statusOf } from './api.mjs';
import { portFrom, REPOSITORY } from './place.mjs';
import { holderOf } from './port-holder.mjs';

const IMAGE_NAME = 'oakestra/demo';
const DEPLOY_TIMEOUT_MS = 180_000;
const ANSWER_TIMEOUT_MS = 30_000;
const LOOK_EVERY_MS = 150;

/** The tools that the build makes from the testbed. */
const tools = () => createRequire(import.meta.url)(`${REPOSITORY}/dist/start.cjs`);

/**
 * Builds the image of the demo and serves it on loopback.
 *
 * @param {import('./place.mjs').Places} place
 * @returns {Promise<{ image: string, close(): Promise<void> }>}
 */
export async function serveDemoImage(place) {
  const { buildDemoImage, startRegistry, sweep } = tools();
  const port = portFrom('OAKESTRA_DEMO_REGISTRY_PORT', 15_000);
  // A start that was killed may have left its registry behind.
  await sweep();
  const { demoDirectory: directory, cacheDirectory, registryDirectory: storageDirectory } = place;
  const layout = await buildDemoImage({ directory, cacheDirectory });
  const registry = await startRegistry({ port, storageDirectory }).catch((error) => {
    if (error.code !== 'port-taken') throw error;
    throw new SetupError(
      `Port ${port} is taken${holderOf(port)}; the registry of the demo needs it. Stop that program, or choose ` +
        'another port: OAKESTRA_DEMO_REGISTRY_PORT=15001 npm start',
      { cause: error },
    );
  });
  try {
    await registry.push(layout, IMAGE_NAME);
  } catch (error) {
    await registry.close();
    throw error;
  }
  return { image: `${registry.host}/${IMAGE_NAME}:latest`, close: registry.close };
}

/**
 * Makes sure of the application and of one instance of it; waits until that answers.
 *
 * @param {ReturnType<typeof import('./api.mjs').connectApi>} api
 * @param {{ place: import('./place.mjs').Places, image: string, report: import('../setup/index.mjs').Report }} options
 * @returns {Promise<{ url: string, serviceId: string, isNew: boolean }>}
 */
export async function ensureDemo(api, { place, image, report }) {
  const port = portFrom('OAKESTRA_DEMO_PORT', 8080);
  const sla = await tools().demoSla({ directory: place.demoDirectory, image, publishedPort: port });
  const name = sla.applications[0].application_name;
  const isDemo = (/** @type {any} */ application) => application.application_name === name;
  let application = (await api.applications()).find(isDemo);
  const isNew = application === undefined;
  if (isNew) {
    report.detail(`submitting its SLA (${place.demoDirectory}/sla.json)`);
    application = (await api.submit(sla)).find(isDemo);
  }
  const serviceId = application.microservices[0];
  if (serviceId === undefined) {
    throw new SetupError(
      `The application ${name} exists but has no service. Delete it (see the README), then start again.`,
    );
  }
  const service = await api.service(serviceId);
  const published = publishedPort(service.port) ?? port;
  if (!isNew && published !== port) {
    report.warn(
      `The demo was deployed with port ${published} before and keeps it; delete it to change that.`,
    );
  }
  if (service.instance_list.length === 0) {
    await requireFreePort(published);
    report.detail('deploying one instance');
    await api.deploy(serviceId);
  }
  await untilRunning(api, serviceId, report);
  const url = `http://127.0.0.1:${published}`;
  await untilAnswers(url);
  return { url, serviceId, isNew };
}

/**
 * @param {ReturnType<typeof import('./api.mjs').connectApi>} api
 * @param {string} serviceId
 * @param {import('../setup/index.mjs').Report} report
 */
async function untilRunning(api, serviceId, report) {
  const deadline = performance.now() + DEPLOY_TIMEOUT_MS;
  let told = '';
  for (;;) {
    const { instance_list: instances } = await api.service(serviceId);
    if (instances.some((/** @type {any} */ instance) => instance.status === 'RUNNING')) return;
    const state = instances.map(describe).join('; ') || 'no instance';
    if (state !== told) report.detail(state);
    told = state;
    if (performance.now() > deadline) {
      throw new SetupError(`The demo does not run after ${DEPLOY_TIMEOUT_MS / 1000} s: ${state}`);
    }
    await delay(LOOK_EVERY_MS);
  }
}

/** @param {any} instance */
function describe({ instance_number: number, status, status_detail: detail }) {
  return `instance ${number}: ${status}${detail ? ` (${detail})` : ''}`;
}

/** @param {string} url */
async function untilAnswers(url) {
  const deadline = performance.now() + ANSWER_TIMEOUT_MS;
  for (;;) {
    const status = await statusOf(url);
    if (status === 200) return;
    if (performance.now() > deadline) {
      const said = status === undefined ? 'nothing' : `HTTP ${status}`;
      throw new SetupError(
        `The demo runs, but ${url} answers ${said}. Is a firewall between? Look at: nft list ruleset`,
      );
    }
    await delay(LOOK_EVERY_MS);
  }
}

/**
 * The first number of `8080:80/tcp`.
 * @param {unknown} mapping
 */
function publishedPort(mapping) {
  const port = Number(/^\d+/.exec(String(mapping))?.[0]);
  return Number.isInteger(port) ? port : undefined;
}

/** @param {number} port */
async function requireFreePort(port) {
  const isFree = await new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen({ port, host: '0.0.0.0', exclusive: true }, () => server.close(() => resolve(true)));
  });
  if (isFree) return;
  throw new SetupError(
    `Port ${port} is taken${holderOf(port)}; the demo wants to be reached there. Stop that program, or choose ` +
      `another port: OAKESTRA_DEMO_PORT=${port + 1} npm start`,
  );
}
