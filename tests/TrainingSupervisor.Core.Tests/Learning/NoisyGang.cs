namespace TrainingSupervisor.Core.Tests.Learning;

/// <summary>
/// Own step times of many workers with noise as it is seen in practice: lognormal jitter, workers that are a few per cent slower for good,
/// slow thermal drift, short collector pauses, network stalls, and single steps that take five times as long. One seed, one run.
/// </summary>
internal sealed class NoisyGang
{
    private const double Jitter = 0.08;
    private readonly float[] _jitter = new float[1 << 16];
    private readonly double[] _bias, _drift;
    private ulong _state;

    public NoisyGang(ulong seed, int workers, double seconds)
    {
        _state = (seed * 0x9E3779B97F4A7C15) | 1;
        Seconds = seconds;
        Own = new double[workers];
        _bias = new double[workers];
        _drift = new double[workers];
        for (var i = 0; i < _jitter.Length; i++) _jitter[i] = (float)Math.Exp(Jitter * Normal());
        for (var i = 0; i < workers; i++) _bias[i] = Math.Exp(0.03 * Normal());
    }

    public double Seconds { get; }

    /// <summary>Each worker's own seconds in the step.</summary>
    public double[] Own { get; }

    /// <summary>The worker that is slow now, and how much; -1 for none.</summary>
    public int Straggler { get; set; } = -1;
    public double Factor { get; set; } = 1.5;

    /// <summary>One more step; the seconds that it takes the gang, which waits for the slowest and then exchanges.</summary>
    public double Step()
    {
        var slowest = 0.0;
        for (var i = 0; i < Own.Length; i++)
        {
            var bits = Next();
            if ((bits & 0xFFF) == 0) _drift[i] = Math.Clamp(_drift[i] + (0.01 * (((bits >> 12) & 1) == 0 ? -1 : 1)), 0, 0.08);
            var own = Seconds * _bias[i] * (1 + _drift[i]) * _jitter[bits >> 48];
            var rare = (bits >> 16) & 0xFFFFFF;
            if (rare < 16_800) own += 0.2 + (1.8 * (bits & 0xFFFF) / 65536.0); // 1 in 1,000: a collector's pause.
            else if (rare < 16_800 + 1_680) own += Exponential(3); // 1 in 10,000: a network stall.
            else if (rare < 16_800 + 1_680 + 336) own *= 5; // 1 in 50,000, so one gang step in fifty: five times as long.
            if (i == Straggler) own *= Factor;
            Own[i] = own;
            if (own > slowest) slowest = own;
        }

        return slowest + (0.05 * Seconds * (1 + Uniform()));
    }

    public double Uniform() => (Next() >> 11) * (1.0 / (1UL << 53));

    public double Exponential(double mean) => -mean * Math.Log(1 - Uniform());

    public double LogNormal(double median, double spread) => median * Math.Exp(spread * Normal());

    public int Below(int limit) => (int)(Uniform() * limit);

    private double Normal() => Math.Sqrt(-2 * Math.Log(1 - Uniform())) * Math.Cos(2 * Math.PI * Uniform());

    /// <summary>xorshift64*: the same on every machine.</summary>
    private ulong Next()
    {
        _state ^= _state >> 12;
        _state ^= _state << 25;
        _state ^= _state >> 27;
        return _state * 0x2545F4914F6CDD1D;
    }
}
