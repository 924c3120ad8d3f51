using System.Diagnostics;
using Xunit.Abstractions;

namespace TrainingSupervisor.Agent.Tests;

/// <summary>What is promised of the shipped program. The bounds on time are loose, for busy machines; the numbers are printed.</summary>
public sealed class NativeBinaryTests(ITestOutputHelper output) : AgentTest
{
    private const int Rounds = 11;

    [NativeFact]
    public void Binary_IsOneFileUnder15Megabytes()
    {
        var files = Directory.GetFiles(Metadata("AgentDirectory")).Where(f => !Path.GetFileName(f).StartsWith('.')).ToList();

        Assert.Equal([Program], files);
        var size = new FileInfo(Program).Length;
        output.WriteLine($"gang-agent: {size / 1e6:0.0} MB");
        Assert.InRange(size, 1_000_000, 15_000_000);
    }

    [NativeFact]
    public void Version_FromStartToEnd_IsQuick()
    {
        var times = new List<double>();
        for (var i = 0; i < Rounds; i++)
        {
            var watch = Stopwatch.StartNew();
            using var process = Process.Start(new ProcessStartInfo(Program, ["version"]) { RedirectStandardOutput = true })!;
            process.WaitForExit();
            times.Add(watch.Elapsed.TotalMilliseconds);
            Assert.Equal(0, process.ExitCode);
        }

        Say("gang-agent version", times);
    }

    [NativeFact]
    public async Task Run_FromStartToHello_IsQuick()
    {
        var times = new List<double>();
        for (var i = 0; i < Rounds; i++)
        {
            var watch = Stopwatch.StartNew();
            using var agent = Start("sleep", "60");
            await Gateway.HelloAsync();
            times.Add(watch.Elapsed.TotalMilliseconds);
        }

        Say("gang-agent from start to hello", times);
    }

    private void Say(string what, List<double> times)
    {
        times.Sort();
        output.WriteLine($"{what}: median {times[times.Count / 2]:0} ms, least {times[0]:0} ms, most {times[^1]:0} ms of {times.Count}");
        Assert.InRange(times[times.Count / 2], 0, 1000);
    }
}

/// <summary>Only where the published program is native, which needs a C toolchain; says so elsewhere.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class NativeFactAttribute : FactAttribute
{
    public NativeFactAttribute()
    {
        if (File.Exists(AgentTest.Program + ".dll")) Skip = "gang-agent is not native here: no C toolchain";
    }
}
