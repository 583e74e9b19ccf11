import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { classicOpenApi } from './document.ts';
import { PAGE_SCRIPT } from './page.ts';

type Listener = (event: { preventDefault(): void; target: Element }) => unknown;

/** As much of a page as the script uses. */
class Element {
  readonly childNodes: Element[] = [];
  readonly listeners = new Map<string, Listener>();
  readonly attributes = new Map<string, string>();
  ownText = '';
  className = '';
  value = '';
  hidden = false;
  open = false;
  required = false;
  constructor(readonly name: string) {}

  get textContent(): string {
    return this.ownText + this.childNodes.map((child) => child.textContent).join('');
  }
  set textContent(text: string) {
    this.childNodes.length = 0;
    this.ownText = text;
  }
  append(...children: (Element | string)[]): void {
    for (const child of children) {
      const node = typeof child === 'string' ? new Element('#text') : child;
      if (typeof child === 'string') node.ownText = child;
      this.childNodes.push(node);
    }
  }
  setAttribute(name: string, value: string): void {
    this.attributes.set(name, value);
  }
  addEventListener(type: string, listener: Listener): void {
    this.listeners.set(type, listener);
  }
  fire(type: string): unknown {
    return this.listeners.get(type)?.({ preventDefault() {}, target: this });
  }
  querySelectorAll(name: string): Element[] {
    return this.childNodes.flatMap((child) => [
      ...(child.name === name ? [child] : []),
      ...child.querySelectorAll(name),
    ]);
  }
}

async function openPage(replies: Record<string, { status: number; body: unknown }>) {
  const byId = Object.fromEntries(
    ['about', 'tools', 'filter', 'token', 'operations'].map((id) => [id, new Element(id)]),
  ) as Record<string, Element>;
  const requests: { url: string; options: Record<string, unknown> | undefined }[] = [];
  const context = {
    document: {
      getElementById: (id: string) => byId[id],
      createElement: (name: string) => new Element(name),
      querySelectorAll: (name: string) => byId.operations?.querySelectorAll(name),
    },
    URLSearchParams,
    async fetch(url: string, options?: Record<string, unknown>) {
      requests.push({ url, options });
      const { status, body } = replies[url] ?? { status: 404, body: 'nothing' };
      const text = JSON.stringify(body);
      return {
        ok: status === 200,
        status,
        statusText: '',
        json: async () => JSON.parse(text),
        text: async () => text,
      };
    },
  };
  runInNewContext(PAGE_SCRIPT, context);
  await expect.poll(() => byId.about?.textContent).not.toBe('');
  return { byId, requests, operations: byId.operations as Element };
}

const document = classicOpenApi([
  { method: 'GET', path: '/api/service/:id', access: 'user' },
  { method: 'POST', path: '/api/application', access: 'user', body: 'json' },
]);
const replies = {
  '/docs/openapi.json': { status: 200, body: document },
  '/api/service/a%2Fb': { status: 200, body: { found: true } },
};

describe('the script of the page', () => {
  it('shows every operation, and what it takes once it is opened', async () => {
    const { operations } = await openPage(replies);
    const shown = operations.querySelectorAll('details');
    expect(shown.map(({ textContent }) => textContent)).toEqual([
      'GET/api/service/{id}An own service.',
      'POST/api/application/Creates every application of an SLA with its services, or nothing.',
    ]);
    const [, post] = shown as [Element, Element];
    post.open = true;
    post.fire('toggle');
    expect(post.textContent).toContain('microservice_namespace');
    expect(post.textContent).toContain('otherwise: Refused');
  });

  it('finds by path or word', async () => {
    const { byId, operations } = await openPage(replies);
    const filter = byId.filter as Element;
    filter.value = 'SLA';
    filter.fire('input');
    expect(operations.querySelectorAll('details').map(({ hidden }) => hidden)).toEqual([true, false]);
    expect(operations.querySelectorAll('section').map(({ hidden }) => hidden)).toEqual([true, false]);
  });

  it('tries an operation out with the token', async () => {
    const { byId, requests, operations } = await openPage(replies);
    (byId.token as Element).value = 'secret';
    const [get] = operations.querySelectorAll('details') as [Element];
    get.open = true;
    get.fire('toggle');
    const [input] = get.querySelectorAll('input') as [Element];
    input.value = 'a/b';
    await get.querySelectorAll('form')[0]?.fire('submit');
    expect(requests.at(-1)).toMatchObject({
      url: '/api/service/a%2Fb',
      options: { method: 'GET', headers: { authorization: 'Bearer secret' } },
    });
    expect(get.textContent).toContain('{"found":true}');
  });

  it('says when the document cannot be read', async () => {
    const { byId } = await openPage({});
    expect(byId.about?.textContent).toContain('cannot be read: 404');
  });
});
