import { deadMailKept, deadPictureKept, nothingLeft } from './dead.mjs';
import { mailsArrived, reportsAttached } from './mails.mjs';
import { neverEarly, thirdTimeLucky, urgentOvertook } from './order.mjs';
import { picturesRight } from './pictures.mjs';
import { pdfComplete, xlsxComplete } from './reports.mjs';
import { oneTrace } from './trace.mjs';

/** In the order in which they are told. */
export const CHECKS = [
  mailsArrived,
  reportsAttached,
  picturesRight,
  pdfComplete,
  xlsxComplete,
  urgentOvertook,
  neverEarly,
  thirdTimeLucky,
  deadMailKept,
  deadPictureKept,
  oneTrace,
  nothingLeft,
];
