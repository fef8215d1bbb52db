import eslint from '@eslint/js';
import stylistic from '@stylistic/eslint-plugin';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist/', '.cache/', 'test/fixtures/', 'src/diagnosis/compiled-text.ts'] },
  eslint.configs.recommended,
  ...tseslint.configs.strict,
  {
    plugins: { '@stylistic': stylistic },
    rules: {
      // Prettier has the code in hand; comments are no wider than 120 columns.
      '@stylistic/max-len': ['error', { code: 10_000, comments: 120, ignoreUrls: true }],
      eqeqeq: 'error',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
);
