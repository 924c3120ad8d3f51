using LocalTraining.Running;

namespace TrainingSupervisor.Samples.Tests.LocalTraining;

public sealed class CommandLineTests
{
    [Theory]
    [InlineData("error: --workers must be a whole number from 2 to 64, not '1'", "--workers", "1")]
    [InlineData("error: --workers must be a whole number from 2 to 64, not 'many'", "--workers", "many")]
    [InlineData("error: --steps must be a whole number from 20 to 100000, not '19'", "--steps", "19")]
    [InlineData("error: --seed must be a whole number, not '1.5'", "--seed", "1.5")]
    [InlineData("error: Unrecognized command or argument '--wrokers'.", "--wrokers")]
    public async Task LocalTraining_BadOption_OneMessageAndCode64(string message, params string[] args)
    {
        using var program = new Program(Built.LocalTraining, args);

        Assert.Equal(64, await program.EndAsync());
        Assert.Equal([message, "--help lists the options"], program.Lines);
    }

    [Fact]
    public async Task LocalTraining_Help_NamesEveryOptionAndExitCode()
    {
        using var program = new Program(Built.LocalTraining, ["--help"]);

        Assert.Equal(0, await program.EndAsync());
        Assert.All(
            ["--workers", "--steps", "--seed", "--no-chaos", "--crash-supervisor", "--undisturbed", "--keep", "--plain", "64 bad command line"],
            text => Assert.Contains(text, program.Output, StringComparison.Ordinal));
    }

    [Fact]
    public async Task RunAsync_AllOptions_AreTaken()
    {
        Settings? taken = null;
        var code = await CommandLine.RunAsync(
            ["--workers", "4", "--steps", "50", "--seed", "-9", "--no-chaos", "--crash-supervisor", "false", "--undisturbed", "--keep", "--plain", "--flip-bit"],
            (settings, _) =>
            {
                taken = settings;
                return Task.FromResult(7);
            });

        Assert.Equal(7, code);
        Assert.Equal(
            new Settings
            {
                Workers = 4, Steps = 50, Seed = -9, Chaos = false, CrashSupervisor = false, UndisturbedOnly = true, Keep = true, Plain = true, FlipBit = true,
            },
            taken);
    }

    [Fact]
    public async Task RunAsync_NoOption_IsTheMainJob()
    {
        Settings? taken = null;
        await CommandLine.RunAsync([], (settings, _) =>
        {
            taken = settings;
            return Task.FromResult(0);
        });

        Assert.Equal(new Settings { Workers = 8, Steps = 360, Seed = 1, Chaos = true, CrashSupervisor = true }, taken);
    }
}
