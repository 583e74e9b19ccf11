import { settingType } from './setting-types.ts';
import { defineSettings } from './settings-table.ts';

/** The settings of the log, the same in every program: spread them into a table. */
export const loggingSettings = defineSettings({
  logLevel: {
    type: settingType.oneOf(['debug', 'info', 'warn', 'error']),
    default: 'info',
    description: 'Least important lines that are logged.',
    group: 'Log',
  },
  logFormat: {
    type: settingType.oneOf(['auto', 'json', 'text']),
    default: 'auto',
    description: 'Form of the log on standard error; auto is text on a terminal and JSON elsewhere.',
    group: 'Log',
  },
});
