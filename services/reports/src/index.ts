/** What another process needs to host this service itself: one that runs several of them, or on another broker. */
export { readConfig } from './config.js';
export { openReports } from './reports-module.js';
export { reportsService } from './reports-service.js';
