package sensors

import "math"

// What follows does what Sensirion's gas index algorithm does for VOC (version 3, github.com/Sensirion/gas-index-algorithm), at one
// measurement a second and as it is tuned unless said. That has this licence:
//
// Copyright (c) 2021, Sensirion AG
// All rights reserved.
//
// Redistribution and use in source and binary forms, with or without
// modification, are permitted provided that the following conditions are met:
//
//   - Redistributions of source code must retain the above copyright notice, this
//     list of conditions and the following disclaimer.
//   - Redistributions in binary form must reproduce the above copyright notice,
//     this list of conditions and the following disclaimer in the documentation
//     and/or other materials provided with the distribution.
//   - Neither the name of Sensirion AG nor the names of its
//     contributors may be used to endorse or promote products derived from
//     this software without specific prior written permission.
//
// THIS SOFTWARE IS PROVIDED BY THE COPYRIGHT HOLDERS AND CONTRIBUTORS "AS IS"
// AND ANY EXPRESS OR IMPLIED WARRANTIES, INCLUDING, BUT NOT LIMITED TO, THE
// IMPLIED WARRANTIES OF MERCHANTABILITY AND FITNESS FOR A PARTICULAR PURPOSE
// ARE DISCLAIMED. IN NO EVENT SHALL THE COPYRIGHT HOLDER OR CONTRIBUTORS BE
// LIABLE FOR ANY DIRECT, INDIRECT, INCIDENTAL, SPECIAL, EXEMPLARY, OR
// CONSEQUENTIAL DAMAGES (INCLUDING, BUT NOT LIMITED TO, PROCUREMENT OF
// SUBSTITUTE GOODS OR SERVICES; LOSS OF USE, DATA, OR PROFITS; OR BUSINESS
// INTERRUPTION) HOWEVER CAUSED AND ON ANY THEORY OF LIABILITY, WHETHER IN
// CONTRACT, STRICT LIABILITY, OR TORT (INCLUDING NEGLIGENCE OR OTHERWISE)
// ARISING IN ANY WAY OUT OF THE USE OF THIS SOFTWARE, EVEN IF ADVISED OF THE
// POSSIBILITY OF SUCH DAMAGE.

const (
	vocBlackout = 45 // seconds in which there is no index
	vocRawLow   = 20000
	vocGain     = 230
	vocSigmoidL = 500 // of which 100, at 0, is what is usual
	vocSigmoidK = -0.0065
	vocSigmoidX = 213

	vocStdBegin = 50
	vocStdBonus = 220
	vocTau      = 12 * 3600 // of what is learned of the mean and of the deviation, in the long run

	// The part learns faster at first: so fast, and for so long.
	vocTauMeanBegin, vocMeanBegin = 20, 0.75 * 3600
	vocTauVarBegin, vocVarBegin   = 2500, 1.45 * 3600
	vocTransition                 = 0.01

	// It does not learn from an index above the threshold, for three hours at most.
	vocGate, vocGateBegin = 340, 510
	vocGateTransition     = 0.09
	vocGateMinutes        = 180
	vocGateRatio          = 0.3

	vocScale     = 64
	vocMeanScale = 8
	vocMaxUptime = 32767 - 1

	vocFast, vocSlow = 20, 500 // of the low-pass filter
	vocAlpha         = -0.2
)

// vocAlgorithm learns which raw signal is usual, and gives what differs from that as an index: 100 is usual, more is worse.
type vocAlgorithm struct {
	uptime float64
	index  float64

	known     bool
	mean, std float64 // of the raw signal, which has the offset taken off
	offset    float64
	// For how long it has learned, and since a gate was closed for too long; and how much closed gates have added up to.
	learned, ungated, gatedMinutes float64

	filtered   bool
	x1, x2, x3 float64
}

// process takes the raw signal of a second, and gives the index, 1 to 500; 0 as long as there is none.
func (v *vocAlgorithm) process(raw float64) float64 {
	if v.std == 0 {
		v.std = vocStdBegin
	}
	if v.uptime <= vocBlackout {
		v.uptime++
		return 0
	}
	raw = min(max(raw, vocRawLow+1), vocRawLow+32767) - vocRawLow
	unusual := (raw - (v.mean + v.offset)) / -(v.std + vocStdBonus) * vocGain
	v.index = max(v.smooth(vocSigmoidL*sigmoid(unusual, vocSigmoidX, vocSigmoidK)), 0.5)
	v.learn(raw)
	return math.Floor(v.index + 0.5)
}

// sigmoid goes from 1, well below at, to 0.
func sigmoid(x, at, slope float64) float64 {
	switch e := slope * (x - at); {
	case e < -50:
		return 1
	case e > 50:
		return 0
	default:
		return 1 / (1 + math.Exp(e))
	}
}

// smooth filters the more, the less the index changes.
func (v *vocAlgorithm) smooth(x float64) float64 {
	if !v.filtered {
		v.filtered = true
		v.x1, v.x2, v.x3 = x, x, x
	}
	toward := func(from, tau float64) float64 { return from + (x-from)/(tau+1) }
	v.x1, v.x2 = toward(v.x1, vocFast), toward(v.x2, vocSlow)
	v.x3 = toward(v.x3, (vocSlow-vocFast)*math.Exp(vocAlpha*math.Abs(v.x1-v.x2))+vocFast)
	return v.x3
}

// learn estimates mean and deviation.
func (v *vocAlgorithm) learn(raw float64) {
	if !v.known {
		v.known = true
		v.offset, v.mean = raw, 0
		return
	}
	if math.Abs(v.mean) >= 100 {
		v.offset += v.mean
		v.mean = 0
	}
	rateMean, rateVar := v.rates()
	delta := (raw - v.offset - v.mean) / vocScale
	extra := 1.0
	if c := v.std + math.Abs(delta); c > 1440 {
		extra = (c / 1440) * (c / 1440)
	}
	v.std = math.Sqrt(extra*(vocScale-rateVar)) * math.Sqrt(v.std*(v.std/(vocScale*extra))+rateVar*delta/extra*delta)
	v.mean += rateMean * delta / vocMeanScale
}

// rates tells how fast to learn now.
func (v *vocAlgorithm) rates() (rateMean, rateVar float64) {
	const (
		slow      = 1.0 / (vocTau + 1)
		fastMean  = 1.0 / (vocTauMeanBegin + 1)
		fastVar   = 1.0 / (vocTauVarBegin + 1)
		meanUnits = vocScale * vocMeanScale
	)
	if v.learned < vocMaxUptime {
		v.learned++
	}
	if v.ungated < vocMaxUptime {
		v.ungated++
	}
	begin := sigmoid(v.learned, vocMeanBegin, vocTransition)
	open := sigmoid(v.index, vocGate+(vocGateBegin-vocGate)*sigmoid(v.ungated, vocMeanBegin, vocTransition), vocGateTransition)
	rateMean = open * meanUnits * (slow + (fastMean-slow)*begin)

	beginVar := sigmoid(v.learned, vocVarBegin, vocTransition) - begin
	openVar := sigmoid(v.index, vocGate+(vocGateBegin-vocGate)*sigmoid(v.ungated, vocVarBegin, vocTransition), vocGateTransition)
	rateVar = openVar * vocScale * (slow + (fastVar-slow)*beginVar)

	v.gatedMinutes = max(0, v.gatedMinutes+((1-open)*(1+vocGateRatio)-vocGateRatio)/60)
	if v.gatedMinutes > vocGateMinutes {
		v.ungated = 0
	}
	return rateMean, rateVar
}
