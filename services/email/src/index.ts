/** What another process needs to host this service itself: one that runs several of them, or on another broker. */
export { readConfig } from './config.js';
export { emailService } from './email-service.js';
export { Mailer } from './mailer.js';
