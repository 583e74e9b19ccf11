export { type ProgramRequest, requestOf } from './arguments.ts';
export { formatHelp, type HelpOptions } from './format-help.ts';
export { formatSettings } from './format-settings.ts';
export { type LoadedSettings, type LoadSettingsOptions, loadSettings } from './load-settings.ts';
export { loggingSettings } from './logging-settings.ts';
export { type SettingType, SettingValueError, settingType } from './setting-types.ts';
export { formatOrigin, type SettingOrigin, SettingsError, type SettingViolation } from './settings-error.ts';
export {
  type DefaultContext,
  defineSettings,
  type Environment,
  type EnvironmentSource,
  type SettingDefinition,
  type SettingsTable,
  type SettingsValues,
} from './settings-table.ts';
