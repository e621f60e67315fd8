/**
 * The fault codes with which Koji's exceptions travel (`koji/__init__.py`, `GenericError` and its subclasses). `unhandled` is what a hub makes of
 * any other exception, and what a builder tells it of a bug of its own.
 */
export const faultCodes = {
  unhandled: 1,
  generic: 1000,
  lock: 1001,
  auth: 1002,
  tag: 1003,
  actionNotAllowed: 1004,
  build: 1005,
  authLock: 1006,
  authExpired: 1007,
  sequence: 1008,
  retry: 1009,
  preBuild: 1010,
  postBuild: 1011,
  buildroot: 1012,
  functionDeprecated: 1013,
  serverOffline: 1014,
  liveCd: 1015,
  plugin: 1016,
  callback: 1017,
  appliance: 1018,
  parameter: 1019,
  import: 1020,
  configuration: 1021,
  liveMedia: 1022,
  gssapiAuth: 1023,
  nameValidation: 1024,
} as const;

export type FaultCode = (typeof faultCodes)[keyof typeof faultCodes];

const exceptions: Readonly<Record<Exclude<FaultCode, typeof faultCodes.unhandled>, string>> = {
  1000: 'GenericError',
  1001: 'LockError',
  1002: 'AuthError',
  1003: 'TagError',
  1004: 'ActionNotAllowed',
  1005: 'BuildError',
  1006: 'AuthLockError',
  1007: 'AuthExpired',
  1008: 'SequenceError',
  1009: 'RetryError',
  1010: 'PreBuildError',
  1011: 'PostBuildError',
  1012: 'BuildrootError',
  1013: 'FunctionDeprecated',
  1014: 'ServerOffline',
  1015: 'LiveCDError',
  1016: 'PluginError',
  1017: 'CallbackError',
  1018: 'ApplianceError',
  1019: 'ParameterError',
  1020: 'ImportError',
  1021: 'ConfigurationError',
  1022: 'LiveMediaError',
  1023: 'GSSAPIAuthError',
  1024: 'NameValidationError',
};

/** The name of Koji's exception with this fault code; null where none has it. */
export function kojiExceptionOf(code: number): string | null {
  return new Map(Object.entries(exceptions)).get(String(code)) ?? null;
}
