package bridge

import (
	"maps"
	"slices"
	"strings"
)

// sensorUnits are the device classes of numeric sensors, each with the units that Home Assistant takes for it (2026.2); the empty unit
// is none. They are one text, because a map of lists would be code that makes them.
var sensorUnits = map[string]string{
	"absolute_humidity":                "g/m³,mg/m³",
	"apparent_power":                   "VA,kVA,mVA",
	"aqi":                              "",
	"area":                             "ac,cm²,ft²,ha,in²,km²,mi²,mm²,m²,yd²",
	"atmospheric_pressure":             "Pa,bar,cbar,hPa,inHg,inH₂O,kPa,mPa,mbar,mmHg,psi",
	"battery":                          "%",
	"blood_glucose_concentration":      "mg/dL,mmol/L",
	"carbon_dioxide":                   "ppm",
	"carbon_monoxide":                  "mg/m³,ppm,μg/m³",
	"conductivity":                     "S/cm,mS/cm,μS/cm",
	"current":                          "A,mA",
	"data_rate":                        "B/s,GB/s,Gbit/s,GiB/s,KiB/s,MB/s,Mbit/s,MiB/s,bit/s,kB/s,kbit/s",
	"data_size":                        "B,EB,EiB,GB,Gbit,GiB,KiB,MB,Mbit,MiB,PB,PiB,TB,TiB,YB,YiB,ZB,ZiB,bit,kB,kbit",
	"distance":                         "cm,ft,in,km,m,mi,mm,nmi,yd",
	"duration":                         "d,h,min,ms,s,μs",
	"energy":                           "GJ,GWh,Gcal,J,MJ,MWh,Mcal,TWh,Wh,cal,kJ,kWh,kcal,mWh",
	"energy_distance":                  "Wh/km,kWh/100km,km/kWh,mi/kWh",
	"energy_storage":                   "GJ,GWh,Gcal,J,MJ,MWh,Mcal,TWh,Wh,cal,kJ,kWh,kcal,mWh",
	"frequency":                        "GHz,Hz,MHz,kHz",
	"gas":                              "CCF,L,MCF,ft³,m³",
	"humidity":                         "%",
	"illuminance":                      "lx",
	"irradiance":                       "BTU/(h⋅ft²),W/m²",
	"moisture":                         "%",
	"nitrogen_dioxide":                 "μg/m³",
	"nitrogen_monoxide":                "μg/m³",
	"nitrous_oxide":                    "μg/m³",
	"ozone":                            "μg/m³",
	"ph":                               "",
	"pm1":                              "μg/m³",
	"pm10":                             "μg/m³",
	"pm25":                             "μg/m³",
	"pm4":                              "μg/m³",
	"power":                            "GW,MW,TW,W,kW,mW",
	"power_factor":                     "%,",
	"precipitation":                    "cm,in,mm",
	"precipitation_intensity":          "in/d,in/h,mm/d,mm/h",
	"pressure":                         "Pa,bar,cbar,hPa,inHg,inH₂O,kPa,mPa,mbar,mmHg,psi",
	"reactive_energy":                  "kvarh,varh",
	"reactive_power":                   "kvar,mvar,var",
	"signal_strength":                  "dB,dBm",
	"sound_pressure":                   "dB,dBA",
	"speed":                            "Beaufort,ft/s,in/d,in/h,in/s,km/h,kn,m/min,m/s,mm/d,mm/h,mm/s,mph",
	"sulphur_dioxide":                  "μg/m³",
	"temperature":                      "K,°C,°F",
	"temperature_delta":                "K,°C,°F",
	"volatile_organic_compounds":       "mg/m³,μg/m³",
	"volatile_organic_compounds_parts": "ppb,ppm",
	"voltage":                          "MV,V,kV,mV,μV",
	"volume":                           "CCF,L,MCF,fl. oz.,ft³,gal,mL,m³",
	"volume_flow_rate":                 "L/h,L/min,L/s,ft³/min,gal/d,gal/h,gal/min,mL/s,m³/h,m³/min,m³/s",
	"volume_storage":                   "CCF,L,MCF,fl. oz.,ft³,gal,mL,m³",
	"water":                            "CCF,L,MCF,ft³,gal,m³",
	"weight":                           "g,kg,lb,mg,oz,st,μg",
	"wind_direction":                   "°",
	"wind_speed":                       "Beaufort,ft/s,in/s,km/h,kn,m/min,m/s,mm/s,mph",
}

func sensorClasses() []string { return slices.Sorted(maps.Keys(sensorUnits)) }

// ClassFits tells whether a sensor's device class takes values in that unit. Home Assistant refuses the entity otherwise.
func ClassFits(class, unit string) bool { return slices.Contains(unitsOf(class), unit) }

// unitsOf gives the units that a sensor's device class takes, or nil for an unknown class.
func unitsOf(class string) []string {
	units, known := sensorUnits[class]
	if !known {
		return nil
	}
	return strings.Split(units, ",")
}
