// Who may import whom. The reasons are in docs/architecture.md, "Who may import whom".

/** Tests, the suites that ports ship, and what only these use. */
const TESTING = [
  '\\.test\\.ts$',
  '(^|/|\\.)conformance(\\.ts$|/)',
  '/(test-support|testing)/',
  '/test-[^/]+\\.ts$',
];
/** A rule that lets `from` import only the named rooms of ours (and itself). */
const only = (from, allowed) => ({
  name: `${from}-imports-only-${allowed.join('-') || 'nothing'}`,
  severity: 'error',
  from: { path: `^${from}/` },
  to: {
    path: '^(packages|apps|testbed|e2e|bench)/',
    pathNot: [`^${from}/`, ...allowed.map((a) => `^${a}/`)],
  },
});
const P = (n) => `packages/${n}`;
const A = (n) => `apps/${n}`;
module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'declared-dependencies',
      severity: 'error',
      from: { pathNot: TESTING },
      to: { dependencyTypes: ['npm-no-pkg', 'unknown'] },
    },
    {
      name: 'declared-dependencies-of-tests',
      comment: 'The tools of the tests are declared once, at the top; everything else where it is used.',
      severity: 'error',
      from: { path: TESTING },
      to: {
        dependencyTypes: ['npm-no-pkg', 'unknown'],
        pathNot: '^node_modules/(vitest|fast-check|esbuild)/',
      },
    },
    { name: 'resolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    only(P('contracts'), []),
    only(P('daemon'), []),
    only(P('scheduling'), [P('contracts')]),
    only(P('netplan'), [P('contracts')]),
    only(P('client'), [P('contracts')]),
    only(P('ownership'), [P('contracts')]),
    only(P('store'), [P('contracts'), P('daemon')]),
    only(P('pki'), [P('contracts'), P('daemon')]),
    only(P('host'), [P('contracts'), P('daemon')]),
    only(P('runtimes'), [P('contracts'), P('daemon'), P('host')]),
    ...['root', 'cluster', 'worker'].map((tier) => only(A(tier), ['packages'])),
    only(A('simulator'), ['packages', A('root'), A('cluster'), A('worker')]),
    only(A('oakestra'), ['packages', A('root'), A('cluster'), A('worker')]),
    only('testbed', ['packages']),
    only('e2e', ['packages', 'testbed']),
    only('bench', ['packages', 'testbed']),
    {
      name: 'pure-packages',
      comment: 'Planning gets clock, randomness and input as arguments.',
      severity: 'error',
      from: { path: '^packages/(scheduling|netplan|ownership)/src/', pathNot: '\\.test\\.ts$' },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'room-has-one-door',
      comment: 'A room of a daemon is entered through its index.ts.',
      severity: 'error',
      from: { path: '^apps/(root|cluster|worker)/src/([^/]+)/', pathNot: '\\.test\\.ts$' },
      to: { path: '^apps/$1/src/[^/]+/', pathNot: ['^apps/$1/src/$2/', '^apps/$1/src/[^/]+/index\\.ts$'] },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '\\.gen\\.ts$' },
    tsConfig: { fileName: 'tsconfig.json' },
    tsPreCompilationDeps: true,
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default'],
      mainFields: ['main', 'types'],
    },
  },
};
