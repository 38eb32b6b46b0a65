/** Everything that a page says, in German. Trust sentences, errors and progress are the engine's own and stay English. */
import type { LossSpike, TrainingEvent } from '../src/protocol/trainingEvents.ts';
import { DEAD_AFTER } from '../src/protocol/layerStatistics.ts';
import { decodeNumber, type NonFinite, type Replay } from '../src/protocol/run.ts';
import { formatCount, formatNumber } from './format.ts';
import type { Strings } from './strings.en.ts';

const NBSP = '\u00a0';

export const german: Strings = {
  lenses: {
    contour: 'Kontur',
    line: 'Linie',
    trajectory: 'Trajektorie',
    spectrum: 'Spektrum',
    sharpness: 'Schärfe',
    averaging: 'Mittelung',
    generalisation: 'Generalisierung',
    log: 'Protokoll',
  },
  lensesLabel: 'Linsen',
  objective: 'Zielfunktion',
  step: (step) => `Schritt ${step}`,
  stepAxis: 'Schritt',
  snapshot: (step) => `Snapshot ${step}`,
  samples: (n) => `${formatCount(n)} Samples`,
  batches: (n) => `${formatCount(n)} Batches`,
  parameters: (n) => `${formatCount(n)} Parameter`,
  steps: (n) => `${formatCount(n)} Schritte`,
  snapshots: (n) => `${formatCount(n)} Snapshots`,
  snapshotsEvery: (n, every) => (n > 0 ? `${formatCount(n)}, alle ${formatCount(every)} Schritte` : '0'),
  momentum: (value) => `Momentum ${value}`,
  progress: 'Fortschritt',
  starting: 'startet',
  residual: 'Residuum',
  ofVariance: (plane, percent) => `${plane}, ${percent} der Varianz`,
  loss: 'Loss',
  lossNotKnown: 'Loss nicht bekannt',
  accuracy: 'Genauigkeit',
  trainLoss: 'Trainings-Loss',
  validationLoss: 'Validierungs-Loss',
  trainAccuracy: 'Trainingsgenauigkeit',
  validationAccuracy: 'Validierungsgenauigkeit',
  recordedLoss: 'aufgezeichneter Loss (seines Batches)',
  evaluatedLoss: 'Loss auf der Auswertungsmenge',
  smoothed: (window) => `Mittel über ${window} Schritte`,
  distanceFromPlane: 'Abstand von der Ebene',
  notFinite: 'nicht endlich',
  notComputed: 'noch nicht berechnet',
  component: (k, percent) => `PC${NBSP}${k} (${percent} der Varianz)`,
  componentPlain: (k) => `PC${NBSP}${k}`,
  randomDirection: (k) => `filternormalisierte Richtung ${k}`,
  direction: directionInGerman,
  start: 'Start',
  last: 'zuletzt',
  origin: 'Ursprung',
  lambda1: 'λ₁',
  sharpness: 'λ₁ (Schärfe)',
  measured: 'λ₁, nachträglich gemessen',
  bound: 'Stabilitätsschranke',
  boundOf: (formula) => `Stabilitätsschranke ${formula}`,
  learningRate: 'Lernrate η',
  gradientNorm: 'Gradientennorm',
  updateNorm: 'Updatenorm',
  distanceFromStart: 'Abstand vom Start',
  epoch: 'Epoche',
  time: 'Zeit',
  state: {
    starting: 'startet',
    training: 'trainiert',
    paused: 'im Debugger angehalten',
    held: 'am Ende gehalten',
    finished: 'fertig',
    failed: 'fehlgeschlagen',
    interrupted: 'abgebrochen',
    'no-training': 'nie trainiert',
  },
  verdict: {
    below: 'stabil: unter der Schranke',
    edge: 'am Rand der Stabilität',
    above: 'instabil: über der Schranke',
    unknown: 'für diesen Optimierer ist keine Schranke bekannt',
  },
  scrubContour: 'Stelle auf dem Pfad',
  picked: {
    label: 'Ein Punkt der Ebene',
    hint: 'Punkt anklicken oder nennen:',
    x: 'x',
    y: 'y',
    become: 'Zu diesem Modell werden',
    loss: (value) => `Loss ${value}`,
    nearest: (step, distance) => `nächster Snapshot ${step}, Abstand ${distance}`,
    outside: 'außerhalb des berechneten Loss',
    saved: (model, sentence) => `Gespeichert als ${model}, bewertet unter „Mittelung“. ${sentence}`,
    title: 'Punkte, die Modelle wurden',
    name: (x, y, at) => `(${x}; ${y}) der Ebene bei ${at}`,
    point: (model) => `der Punkt (${model})`,
    table: 'Der Punkt neben dem letzten Snapshot',
  },
  sharpnessFacts: {
    method: {
      exact: 'exakte Hesse-Vektor-Produkte',
      'finite-difference': 'finite Differenzen des Gradienten',
    },
    converged: 'konvergiert',
    notConverged: 'nicht konvergiert',
    products: (n) => `insgesamt ${n} Produkte`,
    residual: (value) => `Residuum ${value}`,
    eigenvalue: 'Eigenwert',
    residualColumn: 'Residuum ‖Hv − λv‖',
    ofBound: (percent, formula, bound) => `λ₁ ist ${percent} von ${formula} = ${bound}`,
  },
  verdictLine: (lambda1, formula, bound, words) => `λ₁ ${lambda1} · ${formula} ${bound} · ${words}`,
  plane: {
    pca: 'PCA der Trajektorie',
    random: 'Zufällig, filternormalisiert',
    eigenvectors: 'Eigenvektoren der Hesse-Matrix',
    gradient: 'Gradient und eine zufällige Richtung',
    snapshots: 'Drei Snapshots oder Modelle',
    directions: 'Zwei Richtungen',
  },
  planeLabel: 'Ebene',
  dataLabel: 'Daten',
  split: { train: 'Trainingsdaten', validation: 'Validierungsdaten' },
  splitChoice: { train: 'Training', validation: 'Validierung' },
  bothSplits: 'Beide, nebeneinander',
  colourLabel: 'Farbe',
  colour: { log: 'Log', linear: 'Linear' },
  viewLabel: 'Ansicht',
  view: { plane: '2-D', surface: '3-D' },
  sizeLabel: 'Gitter',
  evaluatedPoints: 'Ausgewertete Punkte',
  interpolatedMark: ' (i)',
  interpolated: 'interpoliert',
  fromLabel: 'Von',
  toLabel: 'Bis',
  atLabel: 'Bei',
  strideLabel: 'Jeder n-te',
  decayLabel: 'Abklingfaktor (0: alle gleich)',
  lastLabel: 'Letzte n Snapshots',
  topLabel: 'Eigenwerte',
  compute: 'Berechnen',
  computeAgain: 'Neu berechnen',
  measure: 'Messen',
  buildAverage: 'Snapshots mitteln (SWA)',
  buildEnsemble: 'Ensemble bilden',
  buildSoup: 'Soup bilden …',
  trainFurther: {
    swa: 'Weitertrainieren (SWA)',
    fge: 'FGE trainieren',
    snapshotEnsemble: 'Snapshot-Ensemble trainieren',
  },
  saveModel: 'Als Modell speichern …',
  undo: 'Rückgängig',
  reset: 'Zurücksetzen',
  keptLabel: 'Ergebnis',
  standardError: 'Standardfehler',
  play: 'Abspielen',
  pause: 'Anhalten',
  cancel: 'Abbrechen',
  cancelling: 'Wird abgebrochen …',
  resetZoom: 'Zoom zurücksetzen',
  exportLabel: 'Export',
  saved: (file) => `Gespeichert: ${file}`,
  asTable: 'Als Tabelle zeigen',
  trustLabel: 'Wie weit man dem trauen kann',
  provenance: 'Woher es kommt',
  origins: {
    computed: 'Berechnet',
    computedAt: (time, duration) => `${time}, in ${duration}`,
    evaluatedBy: 'Ausgewertet von',
    versions: 'Versionen',
    result: 'Ergebnis',
    evaluation: 'Auswertung',
    data: 'Daten',
    evaluator: {
      live: 'dem lebenden Trainingsprozess, zwischen seinen Schritten',
      held: 'dem Trainingsprozess, an seinem Ende gehalten',
      relaunched: 'dem Skript, noch einmal gestartet und vor seinem ersten Schritt angehalten',
      none: 'keinem Prozess: nur aus den Dateien des Laufs',
    },
    mode: {
      inference: 'Inferenz: Dropout aus, Batch-Norm mit ihrer Statistik',
      'as-trained': 'wie trainiert: Rauschen Zug um Zug wiederholt',
    },
    refreshed: ', Statistik neu berechnet',
  },
  sameCommand: 'Dasselbe auf der Kommandozeile',
  copy: 'Kopieren',
  copied: 'Kopiert',
  copyPicture: 'Bild kopieren',
  cannotCopy: 'Die Zwischenablage nimmt hier kein Bild: Speichern Sie es als PNG.',
  refining: (now, whole) => `Grob: ${now} von ${whole} Punkten entlang der Achsen; wird verfeinert`,
  partial: (done, all) => `${done} von ${all} Punkten berechnet`,
  scales: 'Die Achsen sind in verschiedenen Maßstäben gezeichnet.',
  describeContour: (amount, split, x, y, min, max) =>
    `Kontur des Loss auf ${amount} der ${split} über ${x} und ${y}, von ${min} bis ${max}.`,
  describePath: (from, fromLoss, to, toLoss) =>
    `Die Trajektorie führt von ${from}, Loss ${fromLoss}, bis ${to}, Loss ${toLoss}.`,
  describeSurface: (x, y) => `Loss als Fläche über ${x} und ${y}`,
  noWebgl: 'Dieses Fenster hat kein WebGL, das die 3-D-Ansicht braucht: Hier ist derselbe Loss in 2-D.',
  loading3d: 'Die 3-D-Ansicht wird geladen …',
  waiting: 'Warten auf den Lauf …',
  empty: {
    contour: (plane) => ({
      title: 'Noch keine Kontur',
      text: `Sehen Sie den Loss um diesen Lauf auf einer Ebene durch seine Gewichte (${plane}). Das erste grobe Bild kommt in Sekunden.`,
      action: 'Kontur berechnen',
    }),
    line: {
      title: 'Noch keine Linie',
      text: 'Sehen Sie Loss und Genauigkeit auf der geraden Linie zwischen zwei Snapshots: ob eine Barriere zwischen ihnen liegt.',
      action: 'Linie berechnen',
    },
    sharpness: {
      title: 'λ₁ wurde noch nicht gemessen',
      text: 'Der größte Eigenwert der Hesse-Matrix sagt, wie scharf das Minimum ist und ob die Lernrate am Rand der Stabilität sitzt.',
      action: 'λ₁ am letzten Snapshot messen',
    },
    spectrum: {
      title: 'Noch kein Spektrum',
      text: 'Sehen Sie, wie sich die Krümmung des Loss verteilt: die wenigen steilen Richtungen, die vielen flachen und in welcher Schicht sie liegen.',
    },
    trajectory: {
      title: 'Noch kein Pfad',
      text: 'Sehen Sie, wie wenige Richtungen den ganzen Pfad halten, wie schnell er ging, wie er sich drehte und wie weit er kam. Die Dateien des Laufs antworten: Das Skript wird nicht gestartet.',
    },
    cycles: {
      title: 'Nach Zyklen wurde noch nicht gesucht',
      text: 'Ob sich die Updates eine Epoche später wiederholen, wie bei Daten in fester Reihenfolge, und ob SGD noch vorankommt.',
    },
    calibration: {
      title: 'Die Kalibrierung wurde noch nicht gemessen',
      text: 'Wie oft das Modell recht hat, wo es sich so sicher gibt, und ob der Zufall allein so viel zeigen würde.',
    },
    margins: {
      title: 'Margins wurden noch nicht gemessen',
      text: 'Wie weit Antworten vom Umkippen entfernt sind, auf Trainings- und zurückgehaltenen Samples, und die Lücke in Loss und Genauigkeit.',
    },
    stability: {
      title: 'λ₁ wurde entlang des Laufs noch nicht verfolgt',
      text: 'Sehen Sie λ₁ an Snapshots über den Lauf gegen die Stabilitätsschranke des Optimierers: ob das Training an den Rand der Stabilität ging und dort blieb.',
    },
    flatness: {
      title: 'Die Flachheit wurde noch nicht gemessen',
      text: 'Fünf Definitionen von Flachheit, jede unter dem Namen ihrer Arbeit und jede gegen einen Zwilling des Modells gehalten, der mit anderen Gewichten dieselbe Funktion ist.',
    },
    swag: {
      title: 'SWAG wurde noch nicht bewertet',
      text: 'Sehen Sie, was die mittlere Vorhersage von Modellen wert ist, die um das Mittel gezogen werden, wie gut sie kalibriert ist und wie sicher sie sich gibt, wo sie falsch liegt.',
    },
    averaging: {
      title: 'Noch nichts gemittelt',
      text: 'Sehen Sie, was das Mittel der letzten Snapshots (SWA) oder ihr Ensemble neben dem letzten wert wäre. Jedes braucht einen Klick.',
    },
    snapshots: {
      title: 'Noch keine Snapshots',
      text: 'Snapshots erscheinen hier, sobald das Skript seine ersten Schritte getan hat.',
    },
    steps: {
      title: 'Noch keine Schritte',
      text: 'Schritte erscheinen hier, sobald das Skript trainiert.',
    },
  },
  landscape: {
    title: 'Landschaft',
    none: 'Noch kein Lauf. Trainieren Sie ein Skript mit Basin, um seine Loss-Landschaft hier zu sehen.',
    train: 'Diese Datei trainieren',
    sample: 'Beispiel öffnen',
    openContour: 'Loss-Kontur zeigen',
    average: 'Snapshots mitteln',
    ensemble: 'Ensemble bilden',
    release: 'Prozess freigeben',
    noContour: 'Der Pfad des Laufs erscheint hier, sobald eine Kontur berechnet ist.',
    lossSpark: 'Loss der letzten Schritte',
    lambdaSpark: 'λ₁ der letzten Messungen gegen die Stabilitätsschranke',
  },
  spectrum: {
    title: 'Spektrum',
    ask: 'Spektrum berechnen',
    matrix: 'Matrix',
    matrices: { hessian: 'Hesse', 'gauss-newton': 'Gauß-Newton' },
    top: 'Größte',
    bottom: 'Kleinste',
    trace: 'Spur',
    density: 'Dichte',
    perLayer: 'Schicht für Schicht',
    densityTitle: 'Dichte der Eigenwerte',
    densityOf: (matrix) => (matrix === 'hessian' ? 'Hesse-Matrix' : 'Gauß-Newton-Matrix'),
    curvature: 'Krümmung',
    share: 'Anteil der Eigenwerte je Einheit Krümmung',
    bandwidth: 'Bandbreite σ',
    bandwidthMark: (sigma) => `±σ, Bandbreite σ = ${sigma}`,
    eigenvalues: 'Eigenwerte',
    eigenvalue: 'Eigenwert',
    residual: 'Residuum ‖Hv − λv‖',
    converged: 'konvergiert',
    yes: 'ja',
    no: 'nein',
    rank: (which, k) => {
      const word = which === 'largest' ? 'größter' : 'kleinster';
      return k === 1 ? word : `${word}, ${k}.`;
    },
    largest: 'größter Eigenwert',
    smallest: 'kleinster Eigenwert',
    layersTitle: 'Schicht für Schicht',
    whole: 'alle Parameter',
    chosen: 'gewählte Parameter',
    block: 'Parameter',
    blocks: 'Eigenwerte und Spur je Block, mit dem 95-%-Intervall der Spur',
    dimension: 'wie viele',
    interval: '95-%-Intervall',
    samples: 'geschätzt aus',
    drawn: (samples, sketch) => `${samples} Ziehungen, Skizze von ${sketch}`,
    densityTable: (bandwidth, probes, steps) =>
      `Dichte, geglättet mit σ = ${bandwidth}, aus ${probes} Proben zu ${steps} Schritten`,
    describe: (matrix, dimension, at, bandwidth) =>
      `${matrix}: ${dimension} Eigenwerte bei ${at}, Bandbreite ${bandwidth},`,
    describePeak: (peak, from, to) => `am höchsten bei einer Krümmung von ${peak}, von ${from} bis ${to}.`,
    describeLargest: (value) => `Der größte Eigenwert ist ${value}.`,
    describeLayers: (n, name, value) =>
      `λ₁ und Spur von ${n} Schichten. Die schärfste ist ${name}, ${value}.`,
    layers: (n) => `${n} Schichten`,
    parameters: (n) => `${n} Parameter`,
    products: (n) => `${n} Produkte`,
    exact: 'exakte Produkte',
    finiteDifferences: 'finite Differenzen des Gradienten',
  },
  trajectory: {
    title: 'Pfad',
    ask: 'Pfad berechnen',
    components: 'Komponenten',
    pathOf: 'Pfad über',
    ofSnapshots: 'Snapshots (alle Gewichte)',
    ofSketch: 'jeden Schritt (Skizze)',
    scrub: 'Stelle auf dem Pfad',
    planeTitle: 'Der Pfad auf der Ebene seiner ersten zwei Komponenten',
    alongTitle: 'Entlang des Laufs',
    structureTitle: 'Struktur: Anteile der Varianz, und wie weit er kam',
    step: 'Schritt',
    speed: 'Tempo je Schritt',
    turning: 'Drehung',
    turningDegrees: 'Drehwinkel, Grad (90: ohne Gedächtnis)',
    distance: 'Abstand von der Ebene',
    fromStart: 'Abstand vom Start',
    share: 'Anteil der Varianz',
    thisPath: 'dieser Pfad',
    randomWalk: 'Irrfahrt',
    componentAxis: 'Komponente',
    rootAxis: '√(Schritte seit dem Start)',
    describePlane: (from, to, points, share, walk) =>
      `Der Pfad auf der Ebene seiner ersten zwei Komponenten: von ${from} bis ${to} über ${points} Punkte; die Ebene hält ${share} der Varianz, die einer Irrfahrt ${walk}.`,
    describeAlong: (turning, at, distance) =>
      `Entlang des Laufs: Drehung ${turning}° im Median, wobei 90° ohne Gedächtnis ist; am weitesten von der Ebene bei ${at}, ${distance}.`,
    describeStructure: (shares) => `Struktur: Anteile der Varianz, und wie weit er kam: ${shares}.`,
    describeShare: (component, share, walk) => `${component} ${share}, die einer Irrfahrt ${walk}`,
    describeDistance: (distance) => `Abstand vom Start ${distance}.`,
    pathTable: 'Punkte des Pfads',
    alongTable: 'Tempo, Drehwinkel und Abstände entlang des Laufs',
    shareTable: 'Anteil der Varianz je Komponente',
    name: (snapshots, sketched) => `${snapshots} Snapshots, ${sketched} Schritte`,
    exponent: (a) => `wuchs wie Schritt hoch ${a}`,
    reach: (walk, straight) =>
      `eine Irrfahrt mit diesen Updates wäre ${walk} entfernt (Potenz ½), eine gerade Linie ${straight} (Potenz 1)`,
  },
  cycles: {
    title: 'Zyklen',
    ask: 'Nach Zyklen suchen',
    from: 'Ab Schritt (0: die letzten 4096)',
    epoch: 'Schritte je Epoche (0: wie aufgezeichnet)',
    autocorrelationTitle: 'Autokorrelation der Updates',
    autocorrelation: 'Autokorrelation',
    anew: 'neu in jedem Update',
    asTheyWere: 'Updates samt Momentum',
    atEpoch: 'eine Epoche später (Band: 95 % gemischt)',
    lag: 'Abstand, Schritte',
    atLag: (lag) => `${lag} Schritte später`,
    spectrumTitle: 'Spektrum der Updates',
    frequency: 'Frequenz, Zyklen je Schritt',
    power: 'Anteil der Leistung',
    powerShare: 'Anteil der Leistung',
    harmonics: 'Vielfache von 1/Epoche',
    period: (steps) => `alle ${steps} Schritte`,
    periodColumn: 'Periode, Schritte',
    name: (from, to) => `Schritte ${from} bis ${to}`,
    describe: (lags, verdict) => `Autokorrelation über ${lags} Abstände. ${verdict}.`,
    describeEpoch: (epoch, value, shuffled) =>
      `Beim Abstand der Epoche, ${epoch} Schritten, ${value}; von gemischten Reihenfolgen erreicht eine von zwanzig ${shuffled}.`,
    describeSpectrum: (period) =>
      `Spektrum der Updates: am meisten bei einer Periode von ${period} Schritten.`,
    exponent: (a) => `quadrierter Abstand wächst wie Zeit hoch ${a} (0 kreist, 1 wandert, 2 geht geradeaus)`,
    verdict: {
      'fixed-order': 'Die Daten kommen in fester Reihenfolge: Updates wiederholen sich eine Epoche später',
      repeats: 'Die Updates wiederholen sich',
      none: 'Nichts wiederholt sich',
      unknown: 'Zu wenige Schritte für eine Aussage',
    },
  },
  calibration: {
    title: 'Kalibrierung',
    ask: 'Kalibrierung messen',
    heldOut: 'Zurückgehaltene, falls vorhanden',
    bins: 'Klassen',
    binning: 'Von gleicher',
    ofEqual: { width: 'Breite', mass: 'Samplezahl' },
    error: 'Kalibrierungsfehler',
    accuracy: 'Genauigkeit',
    confidence: 'Konfidenz',
    claimed: 'behauptet',
    perfect: 'so sicher wie richtig',
    samples: 'Samples',
    diagram: 'Zuverlässigkeitsdiagramm',
    bin: (from, to) => `${from} bis ${to}`,
    describe: (bins, error, from, to, right, claims) =>
      `Zuverlässigkeitsdiagramm über ${bins} Klassen: Kalibrierungsfehler ${error}; am weitesten daneben zwischen ${from} und ${to}, richtig in ${right}, behauptet ${claims}.`,
    beyondChance: 'mehr, als der Zufall einmal in zwanzig Fällen zeigt',
    withinChance: 'nicht mehr, als der Zufall allein zeigen kann',
    chance: (mean, most) =>
      `ein Modell, das so sicher wie richtig ist, zeigte durch Zufall ${mean}, und einmal in zwanzig Fällen mehr als ${most}`,
  },
  margins: {
    title: 'Margins und Lücke',
    ask: 'Margins messen',
    output: 'Margin der Ausgabe (Logits)',
    input: 'Margin im Eingaberaum, erste Ordnung',
    share: 'Anteil der Samples',
    bin: (from, to) => `Margin ${from} bis ${to}`,
    column: (margin, split) => `${margin}, ${split}`,
    quantiles: 'Quantile der Margins',
    quantile: 'Anteil darunter',
    mean: 'Mittel',
    notRight: 'nicht richtig',
    from: 'von',
    to: 'bis',
    describe: (margin, train, validation, notRight) =>
      `${margin}: die Hälfte der Trainings-Samples hat weniger als ${train}${validation === null ? '' : `, die Hälfte der Validierungs-Samples weniger als ${validation}`}; ${notRight} werden nicht richtig beantwortet.`,
    gap: 'Lücke',
    gapCaption:
      'Loss und Genauigkeit mit einem Standardfehler; positive Lücke: neuen Samples geht es schlechter',
  },
  stability: {
    title: 'Entlang des Laufs',
    ask: 'λ₁ entlang des Laufs verfolgen',
    snapshots: 'Snapshots',
    live: 'Den trainierenden Prozess fragen',
    step: 'Schritt',
    ratio: 'λ₁ / Schranke',
    residual: 'Residuum',
    verdictColumn: 'Urteil',
    preconditioned: 'vorkonditioniertes λ₁',
    table: 'λ₁ entlang des Laufs gegen die Schranke',
    describe: (snapshots, lambda1, at) => `λ₁ an ${snapshots} Snapshots, zuletzt ${lambda1} bei ${at}`,
    describeBound: (percent, bound) => `, ${percent} seiner Schranke ${bound}.`,
    describePreconditioned: (lambda1, percent, formula, bound) =>
      `vorkonditioniertes λ₁ ${lambda1}, ${percent} von ${formula} = ${bound}.`,
    name: (points) => `${points} Snapshots`,
  },
  flatness: {
    title: 'Flachheit',
    ask: 'Flachheit messen',
    measure: 'Maß',
    all: 'Alle',
    withTwin: 'Skalierter Zwilling',
    measures: {
      'worst-case': 'schlimmster Fall im Kasten',
      sam: 'SAM-Schärfe',
      asam: 'ASAM-Schärfe',
      'average-case': 'mittlerer Fall',
      'fisher-rao': 'Fisher-Rao-Norm',
    },
    setting: {
      epsilon: 'ε',
      steps: 'Schritte',
      starts: 'Starts',
      samRho: 'ρ von SAM',
      asamRho: 'ρ von ASAM',
      eta: 'η',
      ascentSteps: 'Aufstiegsschritte',
      sigma: 'σ',
      repeats: 'Richtungen',
      seed: 'Seed',
    },
    paper: 'Arbeit',
    value: 'Wert',
    interval: '95-%-Intervall',
    settings: 'Einstellungen',
    factor: 'Zwilling ÷ Modell',
    verdictColumn: 'unter Skalierung',
    verdict: { unchanged: 'unverändert', changed: 'ändert sich', unknown: 'nicht bekannt' },
    own: 'dieses Modell',
    twin: 'sein Zwilling: dieselbe Funktion',
    table: 'Maße der Flachheit, jedes unter dem Namen seiner Arbeit',
    numbers: 'Flachheit je Maß',
    count: (n) => `${n} Maße`,
    twinOf: (multiplied, divided, factor) =>
      `Der Zwilling: ${multiplied} mal ${factor} und ${divided} dadurch geteilt, was die Funktion lässt, wie sie ist. Ein Maß, das sich dabei ändert, kann Modelle nicht vergleichen, deren Gewichte verschieden skaliert sind.`,
  },
  scores: {
    calibration: 'Kalibrierungsfehler',
    short: {
      trainLoss: 'Train.-Loss',
      validationLoss: 'Val.-Loss',
      trainAccuracy: 'Train.-Gen.',
      validationAccuracy: 'Val.-Gen.',
      calibration: 'Kal.-Fehler',
    },
    sureRight: 'wie sicher, wo richtig',
    sureWrong: 'wie sicher, wo falsch',
  },
  swag: {
    title: 'SWAG: ein Mittel mit seiner Unsicherheit',
    ask: 'SWAG bewerten',
    from: 'Ab Schritt (0: letztes Viertel)',
    rank: 'Rang',
    draws: 'Ziehungen',
    scale: 'Skala',
    table: 'SWAG neben dem Mittel und dem letzten Snapshot, mit einem Standardfehler',
    numbers: 'Bewertungen, Kalibrierung und Selbstsicherheit',
    model: (draws) => `SWAG, Mittel von ${draws} Ziehungen`,
    name: (members, draws) => `${members} Snapshots, ${draws} Ziehungen`,
    variance: (diagonal, lowRank, passes) =>
      `Summierte Varianz der Gewichte: ${diagonal} im diagonalen Teil, ${lowRank} im Teil niedrigen Rangs (aus je der Hälfte wird gezogen). ${passes} Vorwärtsläufe je Vorhersage.`,
  },
  averagePlane: {
    title: 'Warum Mitteln hilft',
    ask: 'Ebene durch das Mittel zeichnen',
    average: 'Mittel',
    earlier: 'Früherer Snapshot',
    none: 'Noch keine Ebene durch ein Mittel',
    about:
      'Sehen Sie die Ebene durch den letzten Snapshot, das Mittel und einen früheren auf Trainings- und auf Validierungs-Samples: Ein Mittel liegt weiter im Inneren des Beckens, wo beide übereinstimmen (Izmailov et al. 2018).',
    buildFirst: 'Mitteln Sie zuerst Snapshots: Die Ebene geht durch das, was dabei entsteht.',
    lineTitle: 'Vom Mittel zum letzten Snapshot',
  },
  score: {
    caption: 'Bewertungen auf denselben Samples, mit einem Standardfehler',
    model: 'Modell',
    lastSnapshot: (step) => `Letzter Snapshot (Schritt ${step})`,
    average: (n) => `Mittel (SWA) von ${n} Snapshots`,
    ensemble: (n) => `Ensemble von ${n} Snapshots`,
    trained: {
      swa: (n, steps) => `Mittel (SWA) von ${n} Punkten über ${steps} weitere Schritte`,
      fge: (n, steps) => `Fast Geometric Ensemble von ${n} über ${steps} weitere Schritte`,
      'snapshot-ensemble': (n, steps) => `Snapshot-Ensemble von ${n} über ${steps} weitere Schritte`,
    },
    bestMember: (step) => `Bestes Mitglied (Schritt ${step})`,
    cost: 'Vorwärtsläufe',
    better: 'um mehr als zwei Standardfehler besser als der letzte Snapshot',
    worse: 'um mehr als zwei Standardfehler schlechter als der letzte Snapshot',
    same: 'innerhalb von zwei Standardfehlern des letzten Snapshots',
    legend:
      'Ein Unterschied wird nur markiert, wo er zwei Standardfehler zweier unabhängiger Bewertungen übersteigt. Beide werden auf denselben Samples bewertet, das ist also vorsichtig.',
  },
  sweep: {
    compare: 'Mittel vergleichen',
    map: 'Loss des Mittels nach erstem und letztem Snapshot',
    firstStep: 'Erster Schritt',
    lastStep: 'Letzter Schritt',
    decay: 'Abklingfaktor',
    alike: 'alle gleich',
    build: 'Dieses Mittel bilden',
    average: 'Mittel',
    describe: (windows) => `Loss des Mittels nach erstem und letztem Snapshot: ${windows} Mittel.`,
    describeBest: (loss, name, last) =>
      `Der niedrigste Loss ist ${loss}: ${name}; der letzte Snapshot hat ${last}.`,
    judgedLoss: (split) => (split === 'validation' ? 'Validierungs-Loss' : 'Trainings-Loss'),
    gain: 'Besser als der letzte um',
    accuracy: 'Genauigkeit',
    calibration: 'Kalibrierungsfehler',
    window: (n, from, to) => `Mittel von ${n} Snapshots, Schritte ${from} bis ${to}`,
    moving: (decay, n, to) =>
      `Gleitendes Mittel, Abklingfaktor ${decay}, von ${n} Snapshots bis Schritt ${to}`,
  },
  line: {
    barrier: (value) => `Barriere ${value}`,
    smallBarrier: (value) => `Barriere ${value}, innerhalb von zwei Standardfehlern von keiner`,
    noBarrier: 'keine Barriere',
    barrierMark: 'Barriere',
    monotone: {
      falls: 'der Loss fällt vom schlechteren zum besseren Ende nur',
      withinNoise: (rise) =>
        `der Loss fällt vom schlechteren zum besseren Ende, bis auf ${rise} im Rahmen des Rauschens`,
      rises: (rise, where) =>
        `der Loss steigt auf dem Weg vom schlechteren zum besseren Ende um ${rise}${where}`,
      between: (from, to) => ` (Position ${from} bis ${to})`,
    },
    apart: (distance) => `${distance} Abstand im Gewichtsraum`,
    title: (from, to) => `${from} bis ${to}`,
    describe: (from, fromLoss, to, toLoss, barrier) =>
      `Loss auf der geraden Linie von ${from} (${fromLoss}) bis ${to} (${toLoss}); ${barrier}.`,
    position: (from, to) => `Position von ${from} (0) bis ${to} (1)`,
  },
  noise: {
    title: 'Gradientenrauschen',
    ask: 'Gradientenrauschen messen',
    empty: {
      title: 'Das Gradientenrauschen wurde noch nicht gemessen',
      text: 'Wie viel eines Minibatch-Gradienten Rauschen ist, in wie vielen Richtungen es liegt und wie viel davon entlang der Krümmung.',
    },
    top: 'Eigenvektoren',
    batchesLabel: 'Batches',
    name: (at, batches) => `${at}, ${batches} Batches`,
    quantity: 'Größe',
    value: 'Wert',
    scale: 'Rauschskala',
    scaleInSamples: 'Rauschskala (Samples)',
    interval: '95-%-Intervall',
    signal: '‖∇L‖², ohne Rauschen',
    trace: 'tr Σ eines Samples',
    participation: 'Beteiligungsgrad (Richtungen)',
    step: 'Schritt',
    batches: 'Batches',
    ofBatches: (n) => `${n} Batches`,
    batchSize: 'Batchgröße des Laufs',
    directions: 'Richtungen',
    directionsFor: (share) => `Richtungen, die ${share} halten`,
    directionsOf: (n, all) => `90 % des Rauschens in ${formatCount(n)} von ${formatCount(all)} Richtungen`,
    between: (low, high, size) => `95 %: ${low} bis ${high} Samples · Batches von ${size}`,
    limit: 'Grenze so vieler Batches',
    rankTitle: 'Richtungen des Rauschens',
    spectrum: 'Eigenwerte der geschätzten Kovarianz',
    eigenvalue: 'Eigenwert von Σ',
    eigenvalueNumber: 'Eigenvektor',
    alongTitle: 'Rauschen entlang der Krümmung',
    noiseIn: (n) => `Rauschen in den ersten ${n}`,
    gradientIn: (n) => `Gradient in den ersten ${n}`,
    shareAlong: 'Anteil entlang der ersten Eigenvektoren der Hesse-Matrix',
    isotropic: 'ebenso viele zufällige Richtungen',
    anisotropy: 'Tr(HΣ)·d/(Tr H·Tr Σ)',
    liveTitle: 'Rauschskala während des Trainings',
    describe: (n, all, share, limit, batches, resolved) =>
      `Richtungen des Rauschens: ${n} von ${all} Richtungen halten ${share} des Rauschens, von höchstens ${limit}, die ${batches} Batches zeigen können; mehr Batches würden das ${resolved ? 'nicht ' : ''}erhöhen.`,
    describeLive: (times, step, value) =>
      `Rauschskala während des Trainings, ${times}-mal; zuletzt bei ${step}: ${value}.`,
  },
  layers: {
    title: 'Schichten entlang des Laufs',
    ask: 'Schichten lesen',
    empty: {
      title: 'Die Schichten wurden noch nicht gelesen',
      text: 'Wie weit jeder Schritt jede Schicht bewegt, ihre Gradienten und ob sie in dieselbe Richtung gehen, tote Einheiten: aus den Dateien des Laufs, ohne das Skript zu starten.',
    },
    quantity: 'Größe',
    quantities: {
      updateRatio: 'Updateverhältnis ‖Δθ‖/‖θ‖',
      gradientNorm: 'Gradientennorm',
      alignment: 'Kosinus aufeinanderfolgender Gradienten',
      dead: 'tote Einheiten',
    },
    name: (from, to) => `Schritte ${from} bis ${to}`,
    table: 'Parameter entlang des Laufs',
    step: 'Schritt',
    parameter: 'Parameter',
    weightNorm: 'Gewichtsnorm',
    describe: (quantity, parameters, from, to, last) =>
      `${quantity} von ${parameters} Parametern von Schritt ${from} bis ${to}; zuletzt ${last}.`,
    broken: { forward: 'Vorwärtslauf', gradient: 'Gradient', weights: 'Gewichte' },
    nonFinite: 'nicht endlich',
    last: (what) => `${what}, zuletzt`,
    median: (what) => `${what}, Median`,
    deadOf: (units, of) => `${units} von ${of}`,
  },
  ensemble: {
    title: 'Ensemble',
    name: (model, members) => `${model}, ${members} Mitglieder`,
    byCount: 'Bewertung nach Zahl der Mitglieder',
    members: 'Mitglieder',
    member: 'Mitglied',
    first: (n) => (n === 1 ? 'das erste Mitglied' : `die ersten ${n} Mitglieder`),
    single: 'jedes Mitglied für sich',
    ensembleOf: 'Ensemble der ersten n',
    lossOfPredictions: 'Loss der mittleren Vorhersage',
    diversity: 'Wie verschieden die Mitglieder antworten',
    describeByCount: (firstLoss, first, lastLoss, last) =>
      `Bewertung nach Zahl der Mitglieder: Loss ${firstLoss} mit ${first}, ${lastLoss} mit ${last} Mitgliedern.`,
    describeDiversity: (members, what, mean) =>
      `Wie verschieden die ${members} Mitglieder antworten: ${what} im Mittel ${mean}.`,
    disagreement: 'verschiedene Antworten',
    distance: 'Abstand der Vorhersagen',
    pair: (a, b) => `${a} und ${b}`,
  },
  soup: {
    title: 'Soup',
    name: (method, count) => `${method}, ${count} Kandidaten`,
    soupOf: (n, all) => `Soup aus ${n} von ${all}`,
    all: (n) => `Mittel aller ${n}`,
    table: 'Die Soup neben ihren Kandidaten',
    decisions: 'Was über jeden Kandidaten entschieden wurde',
    candidate: 'Kandidat',
    before: 'Soup davor',
    after: 'mit ihm',
    added: 'aufgenommen',
    yes: 'ja',
    no: 'nein',
    gain: (text) => `Gewinn gegenüber dem besten Kandidaten ${text}`,
    verdict: {
      gain: 'Die Soup lohnt sich',
      'no-gain': 'Ein Gewinn gegenüber dem besten Kandidaten ist nicht gezeigt',
      unknown: 'Ob sich die Soup lohnt, ist nicht bekannt',
    },
  },
  uncertainty: {
    title: 'Ob Unsicherheit die falschen Antworten verrät',
    measure: 'Maß',
    measures: {
      'predictive-entropy': 'prädiktive Entropie',
      'mutual-information': 'Transinformation',
      deviation: 'Streuung der Ziehungen',
    },
    describe: (told, half) =>
      `Ob Unsicherheit die falschen Antworten verrät: ${told} (${formatNumber(0.5)} ist Zufall); die sicherste Hälfte ist in ${half} richtig.`,
    mean: 'Mittel',
    whereRight: 'wo richtig',
    whereWrong: 'wo falsch',
    tellsWrong: 'Chance, dass eine falsche Antwort unsicherer ist',
    share: 'behaltener Anteil, die sichersten zuerst',
    accuracyOfShare: 'Genauigkeit des behaltenen Anteils',
  },
  compared: {
    title: 'Verglichene Modelle',
    scrub: 'Modell unter den verglichenen',
    stop: (name, loss) => `${name}: Loss ${loss}`,
    stopAgainst: (name, loss, difference, first) => `${name}: Loss ${loss}, ${difference} gegenüber ${first}`,
    describe: (models) => `Verglichene Modelle: ${models}.`,
    table: 'Verglichene Modelle, jedes mit seinem eigenen Loss',
    model: 'Modell',
    difference: (first) => `Unterschied zu ${first}`,
    path: (run) => `Pfad von ${run}`,
  },
  landscapes: {
    title: 'Landschaft von',
    scrub: 'Lauf, dessen eigene Landschaft zu sehen ist',
    table: 'Landschaften auf dieser Ebene, jede mit Loss und Beispielen ihres Laufs',
    run: 'Lauf',
    origin: 'Loss im Ursprung',
    lowest: 'kleinster Loss',
    highest: 'größter Loss',
    samples: 'ausgewertet auf',
    waiting: 'noch nicht gefragt',
    refused: (run, why) => `Keine Landschaft von ${run}: ${why}`,
    shared: 'Alle Landschaften hier haben eine Farbskala.',
    describe: (run, of) => `Die Landschaft von ${run}, eine von ${of} in einer Farbskala.`,
    elsewhere: 'Aus einem Punkt wird im Panel des Laufs ein Modell, dessen Landschaft dies ist.',
  },
  seeds: {
    title: 'Zufällige Ebenen mehrerer Seeds',
    seed: (seed) => `Seed ${seed}`,
    repeats: 'Wie typisch diese Ebene ist',
    describe: (rise, radius, mean, seeds) =>
      `Wie typisch diese Ebene ist: Auf einem Kreis vom Radius ${radius} steigt der Loss auf dieser Ebene um ${rise}, auf denen von ${seeds} um ${mean}.`,
    plane: 'Ebene',
    rise: 'mittlerer Anstieg des Loss auf einem Kreis',
    shown: '1 (die gezeichnete)',
    mean: 'Mittel',
    deviation: 'Standardabweichung',
  },
  log: {
    title: 'Alle Schritte',
    table: 'Alle Schritte des Laufs',
    columns: [
      'Schritt',
      'Epoche',
      'Loss',
      'Lernrate η',
      'Gradientennorm',
      'Updatenorm',
      'Abstand vom Start',
      'Ereignis',
    ],
    show: 'Zeigen',
    filters: {
      all: 'Alle Schritte',
      events: 'Schritte mit Ereignissen',
      spike: 'Loss-Spitzen',
      'non-finite': 'NaN oder unendlich',
      edge: 'Rand der Stabilität',
      'dead-units': 'Tote Einheiten',
    },
    quantity: 'Größe',
    scale: 'Skala',
    automatic: 'Automatisch',
    event: eventInGerman,
    describe: (quantity, from, first, to, last) =>
      `${quantity} von ${from} bei Schritt ${first} bis ${to} bei Schritt ${last}.`,
    describeSharpness: (lambda1) => `λ₁ war zuletzt ${lambda1}.`,
    describeBound: (lambda1, bound) => `λ₁ war zuletzt ${lambda1}, seine Schranke ${bound}.`,
    next: 'Nächstes Ereignis',
    previous: 'Voriges Ereignis',
    loading: 'Schritte werden gelesen …',
    count: (rows, events) => `${rows} Schritte, ${events} Ereignisse im Lauf`,
    events: 'Ereignisse',
  },
  report: {
    contour: 'Loss um den Lauf',
    training: 'Training und Schärfe',
    line: 'Entlang einer Linie',
    scores: 'Was ein Mittel wert ist',
    sharpness: 'Schärfe',
    facts: 'Der Lauf',
    curvature: 'Krümmung über einer Ebene',
    averages: 'Mittel im Vergleich',
    failed: 'Die Daten dieses Berichts sind nicht lesbar.',
    failedCure: 'Schreiben Sie ihn mit `basin report` noch einmal.',
    madeBy: (version) => `Erstellt mit Basin ${version}`,
  },
  facts: {
    script: 'Befehl',
    optimizer: 'Optimierer',
    parameters: 'Parameter',
    steps: 'Schritte',
    snapshots: 'Snapshots',
    evaluation: 'Auswertungsmenge',
    framework: 'Framework',
    created: 'Gestartet',
    state: 'Zustand',
    finalLoss: 'Letzter Loss',
    replay: 'Wiederholung',
    replayed: replayInGerman,
  },
  curvatureMap: {
    title: 'Krümmung: |λmin/λmax|',
    ratio: '|λmin/λmax|',
  },
  tableOf: {
    trajectory: 'Snapshots auf der Ebene',
    grid: 'Loss auf dem Gitter: eine Zeile je y, eine Spalte je x',
    steps: 'Schritte',
    live: 'λ₁ während des Trainings',
    noise: 'Skala des Gradientenrauschens während des Trainings',
    line: 'Entlang der Linie',
    eigenvalues: 'Eigenwerte',
    eigenvaluesAt: (model) => `Eigenwerte bei ${model}`,
  },
};

/** Directions are named by the engine, in results: the forms that it has (directedPlane.ts, pointsPlane.ts, trajectoryPlane.ts). */
function directionInGerman(name: string): string {
  const forms: readonly (readonly [RegExp, string])[] = [
    [/, orthogonal to the first$/, ', orthogonal zur ersten'],
    [/, biases included/, ', mit Biases'],
    [/, filter-normalised/, ', filternormalisiert'],
    [/, layer-normalised/, ', schichtnormalisiert'],
    [/, not normalised/, ', nicht normalisiert'],
    [/^principal component (\d+)/, 'Hauptkomponente $1'],
    [/^eigenvector (\d+)/, 'Eigenvektor $1'],
    [/^gradient\b/, 'Gradient'],
    [/^random direction (\d+)/, 'zufällige Richtung $1'],
    [/^towards (\S+|snapshot \d+)(?=,|$)/, 'hin zu $1'],
    [/^(?:from )?(.+) to (.+)/, '$1 bis $2'],
    [/\bsnapshot (\d+)/g, 'Snapshot $1'],
  ];
  return forms.reduce((text, [form, said]) => text.replace(form, said), name);
}

/** As eventSentence of the protocol has it. */
function eventInGerman(event: TrainingEvent): string {
  const short = (x: number): string => formatNumber(x, 3);
  switch (event.kind) {
    case 'spike': {
      const { step, peak, median, until } = event;
      const back = until === null ? '' : `, zurück bei Schritt ${until}`;
      return `Loss-Spitze bei Schritt ${step}: bis ${short(peak.loss)}, der Median davor war ${short(median)}${back}.${originInGerman(event)}`;
    }
    case 'edge': {
      const { step, lambda1, bound } = event;
      return `Rand der Stabilität überschritten bei Schritt ${step}: λ₁ ${short(lambda1)} liegt über seiner Schranke ${short(bound)}.`;
    }
    case 'dead-units': {
      const { step, units, of } = event;
      return `Tote Einheiten bei Schritt ${step}: ${units} von ${of} in ${place(event)}; ihre Gewichte hatten in den letzten ${DEAD_AFTER} Einträgen keinen Gradienten.`;
    }
    case 'non-finite':
      return nonFiniteInGerman(event.step, event.found);
  }
}

function originInGerman({ step, origin }: LossSpike): string {
  if (origin === undefined) return '';
  if (origin === null)
    return ' Wo sie begann, ist unbekannt: Zu wenige Einträge der Schichten liegen bei ihr.';
  const { from, to, first } = origin;
  if (first === null) {
    const where =
      from === to ? `im Eintrag von Schritt ${from}` : `in den Einträgen von Schritt ${from} bis ${to}`;
    return ` Weder Gradient noch Update einer Schicht lag ${where} außerhalb seines Bereichs.`;
  }
  const much = first.times === null ? 'davor null' : `das ${formatNumber(first.times, 3)}-Fache des Medians`;
  const what = first.what === 'gradient' ? 'der Gradient' : 'das Update';
  if (first.step > step)
    return ` Wo sie begann, wurde nicht aufgezeichnet; bei Schritt ${first.step} lag ${what} von ${place(first)} am weitesten außerhalb seines Bereichs, ${much}.`;
  return ` Sie begann in ${place(first)}: Zuerst lag ${what} außerhalb seines Bereichs, ${much} bei Schritt ${first.step}.`;
}

function nonFiniteInGerman(step: number, found: NonFinite | null): string {
  if (found === null) return `Der Loss ist ab Schritt ${step} NaN oder unendlich.`;
  if (found.what === 'forward') {
    const at = found.first === null ? '' : `, zuerst in ${place(found.first)}`;
    const by = found.operation == null ? '' : ` (${found.operation})`;
    if (found.cameIn === true)
      return `Der Loss ist bei Schritt ${step} NaN oder unendlich, weil es die gelesenen Werte sind: Die Daten dieses Schritts enthalten NaN oder Unendlich${at}${by}.`;
    return `Der Loss ist bei Schritt ${step} NaN oder unendlich, obwohl alle Gewichte endlich sind: Es begann im Vorwärtslauf${at}${by}.`;
  }
  const { first, last, parameters } = found;
  const where =
    parameters === 1 || last === null
      ? place(first)
      : `${parameters} Parametern, ${place(first)} bis ${place(last)}: Ein Rückwärtslauf geht vom letzten zum ersten`;
  return found.what === 'gradient'
    ? `Der Gradient ist bei Schritt ${step} NaN oder unendlich, in ${where}.`
    : `Das Update von Schritt ${step} machte Gewichte NaN oder unendlich, in ${where}.`;
}

function place(of: NonFinite['first']): string {
  const unknown = 'einer unbekannten Stelle';
  if (of === null) return unknown;
  const { layer, parameter } = of;
  if (layer === null) return parameter ?? unknown;
  return parameter === null ? `Schicht ${layer}` : `Schicht ${layer} (${parameter})`;
}

/** The probe's reasons (checks.py). */
const UNTRIED: Readonly<Record<string, string>> = {
  'the steps come to their losses by different calls':
    'die Schritte rechnen ihre Losses auf verschiedenen Wegen',
  "the first step's numbers do not fit the shapes of later data":
    'die Zahlen des ersten Schritts passen nicht zu den Formen späterer Daten',
  'a number of the script changes from step to step':
    'eine Zahl des Skripts ändert sich von Schritt zu Schritt',
  'the optimizer calls backward() itself, at several weights a step':
    'der Optimizer ruft backward() selbst auf, bei mehreren Gewichten je Schritt',
};

/** As replayInWords of the protocol has it; the reason of a failure is the probe's own sentence. */
function replayInGerman(replay: Replay): string {
  const names = {
    loss: 'Loss',
    gradient: 'Gradient',
    'later-data': 'spätere Daten auf dem Band des ersten Schritts',
  };
  const steps = `${replay.passed} von ${replay.checked} ${replay.checked === 1 ? 'Schritt' : 'Schritten'}`;
  if (!replay.exact) {
    const reason = replay.reason ?? 'der Grund ist unbekannt';
    return replay.checked > 1 ? `nicht exakt (${steps} bestehen): ${reason}` : `nicht exakt: ${reason}`;
  }
  const worst = (error: number): string =>
    error === 0 ? 'kein Unterschied' : `bis ${formatNumber(error, 2)}`;
  const checks = replay.checks ?? [{ of: 'loss' as const, why: null, ...replay }];
  const parts = checks
    .filter((check) => check.checked > 0)
    .map((check) => `${names[check.of]} (${worst(decodeNumber(check.worstRelativeError))})`);
  const left = checks.flatMap(({ of, why }) =>
    why == null ? [] : [`; ${names[of]} nicht versucht: ${UNTRIED[why] ?? why}`],
  );
  return `exakt in ${steps}${parts.length > 0 ? `: ${parts.join(', ')}` : ''}${left.join('')}`;
}
