/*
 * The page of the interface: it reads the document and shows it. Everything comes from here, nothing from other
 * servers, and what it shows is only ever set as text.
 */

export const PAGE_PATH = '/api/docs';
export const SCRIPT_PATH = `${PAGE_PATH}/page.js`;
export const STYLE_PATH = `${PAGE_PATH}/page.css`;
export const DOCUMENT_PATH = '/docs/openapi.json';

export const PAGE_HTML = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Oakestra root API</title>
<link rel="stylesheet" href="${STYLE_PATH}">
<script src="${SCRIPT_PATH}" defer></script>
</head>
<body>
<header>
<h1>Oakestra root API</h1>
<p id="about">Loading <a href="${DOCUMENT_PATH}">the document</a> …</p>
<form id="tools">
<label>Find <input id="filter" type="search" autocomplete="off" placeholder="path or word"></label>
<label>Token <input id="token" type="password" autocomplete="off" placeholder="access token, for trying out"></label>
</form>
</header>
<main id="operations"></main>
<noscript>This page needs JavaScript; <a href="${DOCUMENT_PATH}">the document</a> does not.</noscript>
</body>
</html>
`;

export const PAGE_STYLE = `:root { color-scheme: light dark; --line: #8884; --soft: #8882; --accent: #0a7ea4; }
* { box-sizing: border-box; }
body { margin: 0 auto; max-width: 60rem; padding: 1rem; font: 16px/1.5 system-ui, sans-serif; }
h1 { margin: 0; font-size: 1.6rem; }
h2 { margin: 2rem 0 .5rem; font-size: 1.15rem; }
form { display: flex; flex-wrap: wrap; gap: .5rem 1rem; align-items: end; }
label { display: grid; gap: .2rem; font-size: .9rem; }
input, textarea, button { font: inherit; padding: .35rem .5rem; border: 1px solid var(--line); border-radius: .3rem; }
textarea { width: 100%; min-height: 8rem; font-family: ui-monospace, monospace; font-size: .85rem; }
button { cursor: pointer; }
details { border: 1px solid var(--line); border-radius: .4rem; margin: .4rem 0; }
summary { padding: .45rem .7rem; cursor: pointer; display: flex; flex-wrap: wrap; gap: .2rem .7rem; }
summary:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.inside { padding: 0 .9rem .9rem; }
.method { font: 600 .85rem/1.7 ui-monospace, monospace; min-width: 4rem; color: var(--accent); }
code { font-family: ui-monospace, monospace; font-size: .9em; overflow-wrap: anywhere; }
pre { background: var(--soft); border-radius: .3rem; padding: .6rem; overflow: auto; max-height: 24rem; }
.says { color: color-mix(in srgb, currentColor 75%, transparent); }
[hidden] { display: none; }
`;

export const PAGE_SCRIPT = `'use strict';
(() => {
  const byId = (id) => document.getElementById(id);
  const element = (name, text, ...children) => {
    const made = document.createElement(name);
    if (text) made.textContent = text;
    made.append(...children);
    return made;
  };
  const marked = (made, name) => { made.className = name; return made; };
  const shown = [];

  /** Replaces references, so that a schema can be read where it is used. */
  const resolved = (root, part) => {
    const reference = part && part.$ref;
    if (!reference) return part;
    return reference.slice(2).split('/').reduce((value, name) => value[name], root);
  };

  const tryOut = (method, path, operation, schema) => {
    const form = element('form');
    const inputs = (operation.parameters || []).map((parameter) => {
      const input = element('input');
      input.required = Boolean(parameter.required);
      form.append(element('label', parameter.name, input));
      return [parameter, input];
    });
    const body = schema ? element('textarea') : undefined;
    if (body) {
      body.setAttribute('aria-label', 'Body');
      body.value = '{}';
      form.append(body);
    }
    const answer = element('pre');
    answer.hidden = true;
    form.append(element('button', 'Send'));
    form.addEventListener('submit', async (event) => {
      event.preventDefault();
      let url = path;
      const query = new URLSearchParams();
      for (const [parameter, input] of inputs) {
        if (parameter.in === 'query') { if (input.value) query.set(parameter.name, input.value); }
        else url = url.replace('{' + parameter.name + '}', encodeURIComponent(input.value));
      }
      if (query.toString()) url += '?' + query;
      const headers = {};
      const token = byId('token').value.trim();
      if (token) headers.authorization = 'Bearer ' + token;
      if (body) headers['content-type'] = 'application/json';
      answer.hidden = false;
      answer.textContent = '…';
      try {
        const reply = await fetch(url, { method: method.toUpperCase(), headers, body: body && body.value });
        answer.textContent = reply.status + ' ' + reply.statusText + '\\n' + (await reply.text());
      } catch (error) {
        answer.textContent = String(error);
      }
    });
    return [element('h3', 'Try it'), form, answer];
  };

  const show = (root, path, method, operation) => {
    const summary = element('summary', '',
      marked(element('span', method.toUpperCase()), 'method'),
      element('code', path),
      marked(element('span', operation.summary), 'says'));
    const inside = marked(element('div'), 'inside');
    const made = element('details', '', summary, inside);
    made.addEventListener('toggle', () => {
      if (!made.open || inside.childNodes.length) return;
      if (operation.description) inside.append(element('p', operation.description));
      const content = operation.requestBody && operation.requestBody.content['application/json'];
      const schema = content && resolved(root, content.schema);
      if (schema) inside.append(element('h3', 'Body'), element('pre', JSON.stringify(schema, null, 2)));
      inside.append(element('h3', 'Answers'));
      for (const [status, reply] of Object.entries(operation.responses)) {
        inside.append(element('p', (status === 'default' ? 'otherwise' : status) + ': ' + reply.description));
      }
      inside.append(...tryOut(method, path, operation, schema));
    });
    shown.push({ made, text: (method + ' ' + path + ' ' + operation.summary).toLowerCase() });
    return made;
  };

  const start = async () => {
    const reply = await fetch('${DOCUMENT_PATH}');
    if (!reply.ok) throw new Error('the document cannot be read: ' + reply.status);
    const root = await reply.json();
    byId('about').textContent = root.info.description || root.info.title;
    const groups = new Map();
    for (const [path, operations] of Object.entries(root.paths)) {
      for (const [method, operation] of Object.entries(operations)) {
        const [tag = 'Further'] = operation.tags || [];
        if (!groups.has(tag)) groups.set(tag, element('section', '', element('h2', tag)));
        groups.get(tag).append(show(root, path, method, operation));
      }
    }
    byId('operations').append(...groups.values());
  };

  byId('tools').addEventListener('submit', (event) => event.preventDefault());
  byId('filter').addEventListener('input', (event) => {
    const wanted = event.target.value.trim().toLowerCase();
    for (const { made, text } of shown) made.hidden = !text.includes(wanted);
    for (const section of document.querySelectorAll('section')) {
      section.hidden = ![...section.querySelectorAll('details')].some((made) => !made.hidden);
    }
  });
  start().catch((error) => { byId('about').textContent = String(error); });
})();
`;
