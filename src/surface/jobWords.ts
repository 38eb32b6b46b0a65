/** What a job computes, in a word or two: the status item shows it with how far it is. */
import * as vscode from 'vscode';
import type { Job } from '../protocol/engine.ts';

export function jobWords(kind: Job['kind']): string {
  switch (kind) {
    case 'contour':
      return vscode.l10n.t('contour');
    case 'landscapes':
      return vscode.l10n.t('landscapes');
    case 'curvature-map':
      return vscode.l10n.t('curvature map');
    case 'line':
      return vscode.l10n.t('line');
    case 'sharpness':
      return vscode.l10n.t('sharpness');
    case 'spectrum':
      return vscode.l10n.t('spectrum');
    case 'stability':
      return vscode.l10n.t('stability');
    case 'flatness':
      return vscode.l10n.t('flatness');
    case 'calibration':
      return vscode.l10n.t('calibration');
    case 'margins':
      return vscode.l10n.t('margins');
    case 'measures':
      return vscode.l10n.t('measures');
    case 'layers':
      return vscode.l10n.t('layers');
    case 'noise':
      return vscode.l10n.t('gradient noise');
    case 'trajectory':
      return vscode.l10n.t('trajectory');
    case 'cycles':
      return vscode.l10n.t('cycles');
    case 'score':
      return vscode.l10n.t('score');
    case 'point':
      return vscode.l10n.t('point');
    case 'average':
      return vscode.l10n.t('average');
    case 'sweep':
      return vscode.l10n.t('averages');
    case 'swag':
      return vscode.l10n.t('SWAG');
    case 'soup':
      return vscode.l10n.t('soup');
    case 'swa':
      return vscode.l10n.t('SWA');
    case 'fge':
      return vscode.l10n.t('FGE');
    case 'snapshot-ensemble':
      return vscode.l10n.t('snapshot ensemble');
    case 'ensemble':
      return vscode.l10n.t('ensemble');
    case 'export':
      return vscode.l10n.t('export');
    case 'report':
      return vscode.l10n.t('report');
  }
}
