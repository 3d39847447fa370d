/** One tool for correctness, accessibility and layout of the source; `npm run lint -- --fix` formats. */
import js from '@eslint/js'
import stylistic from '@stylistic/eslint-plugin'
import globals from 'globals'
import accessibility from 'eslint-plugin-vuejs-accessibility'
import vue from 'eslint-plugin-vue'
import ts from 'typescript-eslint'

const rawColour = '[value=/#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})\\b/i]'
const colourMessage = 'Raw colours live in styles/tokens.css alone: use a token.'
const ownNumbers = {
  selector: ':matches(MemberExpression[property.name=/^(toFixed|toLocaleString|toLocaleDateString|toLocaleTimeString)$/], MemberExpression[property.name="NumberFormat"])',
  message: 'Numbers are written by shared/format.ts: it knows signs, currencies and what is missing.',
}

export default ts.config(
  { ignores: ['dist/', 'node_modules/', 'src/api/schema.d.ts'] },
  js.configs.recommended,
  ...ts.configs.strict,
  ...ts.configs.stylistic,
  ...vue.configs['flat/recommended'],
  ...accessibility.configs['flat/recommended'],
  stylistic.configs.customize({ indent: 2, quotes: 'single', semi: false, braceStyle: '1tbs', arrowParens: true }),
  {
    files: ['**/*.vue'],
    languageOptions: { parserOptions: { parser: ts.parser }, globals: globals.browser },
  },
  { files: ['**/*.ts'], languageOptions: { globals: { ...globals.browser, ...globals.node } } },
  { files: ['**/*.js', '**/*.mjs'], languageOptions: { globals: { ...globals.node, ...globals.browser } } },
  { files: ['public/**/*.js'], languageOptions: { sourceType: 'script', globals: globals.browser } },
  {
    rules: {
      'no-undef': 'off', // the type checker knows better
      'no-console': 'error',
      'eqeqeq': 'error',
      '@stylistic/max-len': ['error', { code: 140, ignoreUrls: true, ignoreStrings: true, ignoreTemplateLiterals: true, ignoreRegExpLiterals: true, ignoreComments: true, ignorePattern: '(class|d|:class)="' }],
      '@stylistic/max-statements-per-line': 'off',
      '@stylistic/multiline-ternary': 'off',
      '@stylistic/operator-linebreak': ['error', 'before'],
      '@typescript-eslint/consistent-type-definitions': ['error', 'interface'],
      '@typescript-eslint/no-non-null-assertion': 'error',
      'vue/block-lang': ['error', { script: { lang: 'ts' } }],
      'vue/block-order': ['error', { order: ['script', 'template', 'style'] }],
      'vue/component-api-style': ['error', ['script-setup']],
      'vue/define-macros-order': 'error',
      'vue/max-attributes-per-line': ['error', { singleline: 4 }],
      'vue/max-len': 'off',
      'vue/multi-word-component-names': 'off',
      'vue/no-v-html': 'error',
      'vue/require-default-prop': 'off', // optional typed props are undefined, and the types say so
      'vue/singleline-html-element-content-newline': 'off',
      'vue/html-self-closing': ['error', { html: { void: 'never', normal: 'never', component: 'always' } }],
      'vuejs-accessibility/label-has-for': ['error', { required: { some: ['nesting', 'id'] } }],
      'max-lines': ['error', { max: 350 }],
    },
  },
  {
    files: ['src/**'],
    ignores: ['src/shared/components/**', 'src/shared/format.ts'],
    rules: {
      'no-restricted-syntax': ['error', ownNumbers, { selector: `Literal${rawColour}`, message: colourMessage }, { selector: `TemplateElement[value.raw=/#[0-9a-f]{6}\\b/i]`, message: colourMessage }],
      'vue/no-restricted-syntax': ['error', ownNumbers, { selector: `VLiteral${rawColour}`, message: colourMessage }, { selector: `Literal${rawColour}`, message: colourMessage }],
    },
  },
  {
    files: ['src/**/*.test.ts'],
    rules: { 'vue/one-component-per-file': 'off' }, // small stand-ins beside the test that needs them
  },
)
