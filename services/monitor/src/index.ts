/** What another process needs to host the monitor itself: one that runs several services, or on another broker. */
export { readConfig, type MonitorConfig } from './config.js';
export { Monitor, type MonitorParts } from './monitor.js';
