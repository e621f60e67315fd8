/** What Python's parser makes of a file: all items of all sections in order, or its exception. */
export type IniOutcome =
  | { readonly sections: Readonly<Record<string, readonly (readonly [string, string])[]>> }
  | { readonly error: string; readonly lines: readonly number[] };

export interface IniCase {
  readonly name: string;
  /** Text in UTF-8, or the bytes themselves. */
  readonly content: string | Uint8Array;
  readonly outcome: IniOutcome;
}

const kojid = (...items: readonly (readonly [string, string])[]): IniOutcome => ({
  sections: { kojid: items },
});
const error = (name: string, ...lines: readonly number[]): IniOutcome => ({ error: name, lines });

/** Files and what Python reads in them; the integration suite asks Python whether that is still so. */
export const iniCorpus: readonly IniCase[] = [
  {
    name: 'equals sign and colon',
    content: '[kojid]\na=1\nb: 2\nc = 3\nd :4\n',
    outcome: kojid(['a', '1'], ['b', '2'], ['c', '3'], ['d', '4']),
  },
  {
    name: 'the first delimiter divides',
    content: '[kojid]\nserver=http://hub:8080/x?a=b\nk: a=b\n',
    outcome: kojid(['server', 'http://hub:8080/x?a=b'], ['k', 'a=b']),
  },
  {
    name: 'keys in lower case, sections as written',
    content: '[Kojid]\nMaxJobs=1\nRLIMIT_AS=2\n',
    outcome: {
      sections: {
        Kojid: [
          ['maxjobs', '1'],
          ['rlimit_as', '2'],
        ],
      },
    },
  },
  {
    name: 'no comment behind a value',
    content: '[kojid]\npassword = s3cret#1 ; no # comment\n',
    outcome: kojid(['password', 's3cret#1 ; no # comment']),
  },
  {
    name: 'whole lines of comment, indented too',
    content: '; a\n# b\n[kojid]\n  ; c = 1\nd = 2\n\t# e = 3\n',
    outcome: kojid(['d', '2']),
  },
  {
    name: 'percent signs',
    content: '[kojid]\nhost_principal_format = compile/%s@EXAMPLE.COM %(x)s 100%\n',
    outcome: kojid(['host_principal_format', 'compile/%s@EXAMPLE.COM %(x)s 100%']),
  },
  {
    name: 'quotes and words of other languages',
    content: '[kojid]\na = "x y"\nb = null\nc = true\nd[] = 1\n',
    outcome: kojid(['a', '"x y"'], ['b', 'null'], ['c', 'true'], ['d[]', '1']),
  },
  {
    name: 'continuation lines',
    content: '[kojid]\nallowed_scms = a:/x\n   b:/y:no\n\tc = /z\nnext = 1\n',
    outcome: kojid(['allowed_scms', 'a:/x\nb:/y:no\nc = /z'], ['next', '1']),
  },
  {
    name: 'empty lines and comments inside a value',
    content: '[kojid]\na = 1\n\n  2\n ; gone\n# gone\n  3\n\n\nb = 4\n',
    outcome: kojid(['a', '1\n\n2\n3'], ['b', '4']),
  },
  {
    name: 'a value that starts on the next line',
    content: '[kojid]\na =\n  1\n  2\n',
    outcome: kojid(['a', '\n1\n2']),
  },
  { name: 'an empty value', content: '[kojid]\ncert =\nuser:\n', outcome: kojid(['cert', ''], ['user', '']) },
  {
    name: 'indented keys',
    content: '[kojid]\n  a = 1\n  b = 2\n    c = 3\n d = 4\n',
    outcome: kojid(['a', '1'], ['b', '2\nc = 3'], ['d', '4']),
  },
  {
    name: 'an indented header is a continuation',
    content: '[kojid]\na = 1\n  [other]\n',
    outcome: kojid(['a', '1\n[other]']),
  },
  {
    name: 'an indented header behind a header',
    content: '[kojid]\n  [other]\n  a = 1\n',
    outcome: { sections: { kojid: [], other: [['a', '1']] } },
  },
  { name: 'text behind a header', content: '[kojid] ; ours\na = 1\n', outcome: kojid(['a', '1']) },
  {
    name: 'brackets in a header',
    content: '[a]b]c\nx = 1\n',
    outcome: { sections: { 'a]b': [['x', '1']] } },
  },
  {
    name: 'spaces in a header',
    content: '[ kojid ]\nx = 1\n',
    outcome: { sections: { ' kojid ': [['x', '1']] } },
  },
  {
    name: 'defaults for all sections',
    content: '[DEFAULT]\na = 1\nb = 2\n[kojid]\nc = 3\nb = 4\n[x]\n',
    outcome: {
      sections: {
        kojid: [
          ['a', '1'],
          ['b', '4'],
          ['c', '3'],
        ],
        x: [
          ['a', '1'],
          ['b', '2'],
        ],
      },
    },
  },
  {
    name: 'defaults twice',
    content: '[DEFAULT]\na = 1\n[kojid]\n[DEFAULT]\nb = 2\n',
    outcome: kojid(['a', '1'], ['b', '2']),
  },
  {
    name: 'defaults in lower case are a section',
    content: '[default]\na = 1\n',
    outcome: { sections: { default: [['a', '1']] } },
  },
  {
    name: 'names that JavaScript objects have',
    content: '[kojid]\n__proto__ = 1\nconstructor = 2\n',
    outcome: kojid(['__proto__', '1'], ['constructor', '2']),
  },
  { name: 'spaces inside a key', content: '[kojid]\nmax jobs = 1\n', outcome: kojid(['max jobs', '1']) },
  {
    name: 'line ends of Windows and of old',
    content: '[kojid]\r\na = 1\r\n b\r\nc = 2\rd = 3\r',
    outcome: kojid(['a', '1\nb'], ['c', '2'], ['d', '3']),
  },
  {
    name: 'other separators end no line',
    content: '[kojid]\na = 1\u20282\u00853\u000b4\n',
    outcome: kojid(['a', '1\u20282\u00853\u000b4']),
  },
  {
    name: 'wide and control spaces are stripped',
    content: '[kojid]\na\u00a0=\u20031\u001f\u3000\n\u0085b = 2\n',
    outcome: kojid(['a', '1\nb = 2']),
  },
  {
    name: 'a zero-width no-break space is no space',
    content: '[kojid]\na = \ufeff1\n',
    outcome: kojid(['a', '\ufeff1']),
  },
  {
    name: 'letters beyond ASCII',
    content: '[kojid]\nVendor = Grüße Ĳ 🐍\nÄ = 1\n',
    outcome: kojid(['vendor', 'Grüße Ĳ 🐍'], ['ä', '1']),
  },
  { name: 'no line end at the end', content: '[kojid]\na = 1', outcome: kojid(['a', '1']) },
  { name: 'an empty file', content: '', outcome: { sections: {} } },
  { name: 'only comments', content: '; a = 1\n\n# b\n', outcome: { sections: {} } },
  {
    name: 'a key before any header',
    content: '; x\na = 1\n',
    outcome: error('MissingSectionHeaderError', 2),
  },
  {
    name: 'a byte order mark',
    content: '\ufeff[kojid]\na = 1\n',
    outcome: error('MissingSectionHeaderError', 1),
  },
  {
    name: 'a byte order mark before a comment',
    content: '\ufeff; x\n[kojid]\n',
    outcome: error('MissingSectionHeaderError', 1),
  },
  { name: 'an empty header', content: '[kojid]\n[]\n', outcome: error('ParsingError', 2) },
  {
    name: 'a section twice',
    content: '[kojid]\na = 1\n[x]\n[kojid]\nb = 2\n',
    outcome: error('DuplicateSectionError', 4),
  },
  {
    name: 'a key twice',
    content: '[kojid]\na = 1\nb = 2\nA : 3\n',
    outcome: error('DuplicateOptionError', 4),
  },
  {
    name: 'a key twice among the defaults',
    content: '[DEFAULT]\na = 1\n[x]\n[DEFAULT]\na = 2\n',
    outcome: error('DuplicateOptionError', 5),
  },
  {
    name: 'lines without delimiter',
    content: '[kojid]\nnonsense\na = 1\nmore nonsense\n',
    outcome: error('ParsingError', 2, 4),
  },
  { name: 'a line without key', content: '[kojid]\n= 1\n', outcome: error('ParsingError', 2) },
  {
    name: 'Latin-1',
    content: Uint8Array.from(Buffer.from('[kojid]\nvendor = Gr\u00fc\u00dfe\n', 'latin1')),
    outcome: error('UnicodeDecodeError'),
  },
];
