// Which folder may import which. `npm run lint:imports` checks the whole tree, types included.

/** Rooms of src/: each may import itself and the rooms named here. Data flows from the machine (host) to HTTP (web). */
const rooms = {
  host: [],
  formats: [],
  metrics: ['formats'],
  config: ['host'],
  sources: ['host', 'formats'],
  pack: [],
  promql: [],
  diagnosis: ['formats', 'metrics', 'pack', 'promql'],
  collectors: ['host', 'formats', 'metrics', 'config', 'sources'],
  scrape: ['host', 'metrics', 'sources', 'collectors'],
  web: ['host', 'formats', 'config', 'metrics', 'scrape', 'diagnosis'],
  commands: ['host', 'config', 'metrics', 'sources', 'collectors', 'scrape', 'web', 'pack', 'diagnosis'],
};

/** The folders around src/. `tools/lib` is what tools, lab, bench and test share. */
const folders = {
  src: [],
  'tools/lib': ['src'],
  tools: ['src', 'tools/lib', 'lab/faults'],
  'lab/harness': ['src', 'tools/lib'],
  'lab/faults': ['src', 'tools/lib', 'lab/harness'],
  'lab/tests': ['src', 'tools', 'tools/lib', 'lab/harness'],
  bench: ['src', 'tools/lib', 'lab/harness'],
  test: ['src', 'tools', 'tools/lib', 'lab/harness', 'lab/faults', 'lab/tests', 'bench'],
};

// `tools/lib` is no part of `tools` here, nor is a file beside a room part of it.
const inFolder = (name) => (name === 'tools' ? '^tools/(?!lib/)' : `^${name}/`);
const oneOf = (names, pattern) => names.map(pattern).join('|');

const direction = (name, allowed, pattern, scope) => ({
  name: `imports of ${name}`,
  comment: `${name} may import only ${[name, ...allowed].join(', ')}`,
  severity: 'error',
  from: { path: pattern(name) },
  to: { path: scope, pathNot: oneOf([name, ...allowed], pattern) },
});

const inRoom = (name) => `^src/${name}/`;

export default {
  forbidden: [
    { name: 'no circles', severity: 'error', from: {}, to: { circular: true } },
    {
      name: 'PromQL is parsed at build time',
      comment: 'the parser needs a development dependency; the program reads trees',
      severity: 'error',
      from: { path: '^src/' },
      to: { path: '^src/promql/parse.ts$' },
    },
    ...Object.entries(rooms).map(([name, allowed]) => direction(name, allowed, inRoom, '^src/')),
    ...Object.entries(folders).map(([name, allowed]) =>
      direction(name, allowed, inFolder, '^(src|tools|lab|bench|test)/'),
    ),
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(tools/pictures/node_modules|test/fixtures)/' },
    parser: 'tsc',
  },
};
