export { DiskStorage } from './disk-storage.js';
export { openStorage } from './open-storage.js';
export { S3Storage, type S3Location } from './s3-storage.js';
export { StorageError, storageErrorCodes, type StorageErrorCode } from './storage-error.js';
export { checkKey, longestKey } from './storage-key.js';
export { Storage, type LocalFile, type PutOptions, type StoredFile } from './storage.js';
