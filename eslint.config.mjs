// Biome does formatting, style and import cycles; these are the rules that need type information, the layers of
// src, and what no code may ask for.
import tseslint from 'typescript-eslint';
import { importBoundaries } from './scripts/lint/import-boundaries.ts';

export default tseslint.config(
  {
    files: ['src/**/*.ts', 'test/**/*.ts'],
    languageOptions: {
      parser: tseslint.parser,
      parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
    },
    linterOptions: { reportUnusedDisableDirectives: 'off' },
    plugins: { '@typescript-eslint': tseslint.plugin },
    rules: {
      '@typescript-eslint/no-floating-promises': 'error',
      '@typescript-eslint/no-misused-promises': 'error',
      '@typescript-eslint/await-thenable': 'error',
      // A promise that is only returned is not waited for by try, finally, or what `await using` disposes.
      '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
      '@typescript-eslint/switch-exhaustiveness-check': [
        'error',
        { considerDefaultExhaustiveForUnions: true },
      ],
    },
  },
  {
    files: ['src/**/*.ts'],
    ignores: ['**/*.test.ts'],
    plugins: { project: { rules: { 'import-boundaries': importBoundaries } } },
    rules: {
      'project/import-boundaries': 'error',
      'no-restricted-syntax': [
        'error',
        {
          selector:
            'Identifier[name=/privileged/i], Literal[value=/privileged/i], TemplateElement[value.raw=/privileged/i]',
          message: 'No container may be privileged: say which capability or device it needs.',
        },
      ],
    },
  },
);
