package sensors

import "testing"

func TestForPart(t *testing.T) {
	for part, want := range map[string]string{
		"bme280": "bme280", "BME688": "bme680", "sht21": "htu21d", "SHT21": "htu21d", "SHT35": "sht3x", "ds18b20": "w1", "DHT22": "iio", "BMP180": "iio",
		"AHT15": "aht10", "ads1115": "ads1115", "LM75A": "lm75", "toaster": "", "30": "", "": "", "and": "", "0.5": "", "light": "",
	} {
		got := ""
		if d := ForPart(part); d != nil {
			got = d.Name
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", part, got, want)
		}
	}
}
