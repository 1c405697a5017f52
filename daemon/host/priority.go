package host

// niceness leaves a run about a tenth of the processor while others want all of
// it. At 19 it would be a hundredth, and a first backup would never end.
const niceness = 10
