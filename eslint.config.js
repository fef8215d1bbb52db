import eslint from '@eslint/js';
import tseslint from 'typescript-eslint';

// Data flows one way: machine -> bytes -> typed readings -> families -> HTTP. Each room of src/ may import itself and the rooms
// named here, nothing else; main.ts alone knows them all.
const mayImport = {
  host: [],
  config: [],
  formats: [],
  metrics: [],
  pack: [],
  collectors: ['host', 'formats', 'metrics'],
  scrape: ['host', 'collectors', 'metrics'],
  web: ['host', 'config', 'scrape', 'metrics'],
  cli: ['host', 'config', 'collectors', 'pack'],
};

const rooms = Object.keys(mayImport);

const directionOfImports = rooms.map((room) => ({
  files: [`src/${room}/**/*.ts`],
  rules: {
    'no-restricted-imports': [
      'error',
      {
        patterns: [
          {
            regex: `^(\\.\\./)+(${[...rooms.filter((other) => other !== room && !mayImport[room].includes(other)), 'main\\.ts'].join('|')})(/|$)`,
            message: `src/${room} may import only from: ${[room, ...mayImport[room]].join(', ')} (DESIGN: data flows one way).`,
          },
        ],
      },
    ],
  },
}));

export default tseslint.config(
  { ignores: ['dist/', '.cache/', 'test/fixtures/'] },
  eslint.configs.recommended,
  ...tseslint.configs.strict,
  {
    rules: {
      eqeqeq: 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  ...directionOfImports,
);
