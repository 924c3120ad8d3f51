using System.Diagnostics;
using System.Globalization;
using Xunit.Abstractions;

namespace TrainingSupervisor.Agent.Tests;

/// <summary>What is promised of the shipped program. The bounds are loose; the numbers are printed.</summary>
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
    public async Task Version_FromStartToEnd_TakesLittle()
    {
        List<double> wall = [], cpu = [];
        for (var i = 0; i < Rounds; i++)
        {
            var watch = Stopwatch.StartNew();
            using var process = Process.Start(new ProcessStartInfo("sh", ["-ec", $"{Program} version; times"]) { RedirectStandardOutput = true })!;
            var lines = (await process.StandardOutput.ReadToEndAsync()).Split('\n');
            await process.WaitForExitAsync();
            wall.Add(watch.Elapsed.TotalMilliseconds);
            Assert.StartsWith("gang-agent ", lines[0], StringComparison.Ordinal);
            // The shell's own times, then those of what it has run: "0m0.010s 0m0.020s", user and system.
            cpu.Add(lines[2].Split(' ').Sum(t => double.Parse(t.Split('m')[1].TrimEnd('s'), CultureInfo.InvariantCulture)) * 1000);
        }

        Say("gang-agent version", wall, cpu, most: 150);
    }

    [NativeFact]
    public async Task Run_FromStartToHello_TakesLittle()
    {
        List<double> wall = [], cpu = [];
        for (var i = 0; i < Rounds; i++)
        {
            var watch = Stopwatch.StartNew();
            using var agent = Start("sleep", "60");
            await Gateway.HelloAsync();
            wall.Add(watch.Elapsed.TotalMilliseconds);
            var stat = (await File.ReadAllTextAsync($"/proc/{agent.Id}/stat")).Split(") ")[1].Split(' ');
            // Fields 14 and 15 of the line, in hundredths of a second.
            cpu.Add((double.Parse(stat[11], CultureInfo.InvariantCulture) + double.Parse(stat[12], CultureInfo.InvariantCulture)) * 10);
        }

        Say("gang-agent from start to hello", wall, cpu, most: 600);
    }

    /// <summary>The processor's time is what the program is to blame for; what passed on the clock says how busy the machine was.</summary>
    private void Say(string what, List<double> wall, List<double> cpu, double most)
    {
        wall.Sort();
        cpu.Sort();
        output.WriteLine($"{what}: processor time median {cpu[Rounds / 2]:0} ms; clock median {wall[Rounds / 2]:0} ms, least {wall[0]:0} ms, most {wall[^1]:0} ms of {Rounds}");
        Assert.InRange(cpu[Rounds / 2], 0, most);
        Assert.InRange(wall[0], 0, 10_000);
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
