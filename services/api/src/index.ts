/** What another process needs to host this API itself: one that runs several of them, or on another broker. */
export { createApp } from './app.js';
export { readConfig } from './config.js';
export { HttpServer } from './http-server.js';
