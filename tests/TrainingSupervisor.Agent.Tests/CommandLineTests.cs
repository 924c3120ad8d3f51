using System.Diagnostics;

namespace TrainingSupervisor.Agent.Tests;

public sealed class CommandLineTests : IDisposable
{
    private readonly string _root = Directory.CreateTempSubdirectory("agent").FullName;

    public void Dispose() => Directory.Delete(_root, recursive: true);

    [Fact]
    public async Task Run_WithoutEnvironment_NamesAllThatIsMissingInOneLine()
    {
        var (code, output, error) = await CallAsync("run", "--", "true");

        Assert.Equal((64, ""), (code, output));
        var line = Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        foreach (var name in new[]
                 {
                     "GANG_NAME", "GANG_NAMESPACE", "GANG_ROLE", "GANG_DIR", "GANG_AGENT_SECRET_DIR", "POD_NAME", "POD_UID", "POD_IP", "NODE_NAME",
                     "KUBERNETES_SERVICE_HOST", "KUBERNETES_SERVICE_PORT",
                 })
            Assert.Contains(name, line, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("GANG_RESTART_EXIT_CODE", "0")]
    [InlineData("GANG_MASTER_PORT", "70000")]
    [InlineData("GANG_EXIT_HOLD_SECONDS", "-1")]
    [InlineData("GANG_LIVENESS_URL", "ftp://x")]
    public async Task Run_WithAWrongValue_SaysWhichBesideWhatIsMissing(string name, string value)
    {
        var (code, _, error) = await CallAsync(v => v[name] = value, "run", "--", "true");

        Assert.Equal(64, code);
        Assert.Contains($"'{value}'", error, StringComparison.Ordinal);
        Assert.Contains("missing environment variables: ", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("usage: ")]
    [InlineData("usage: ", "nonsense")]
    [InlineData("usage: ", "run")]
    [InlineData("no command after --", "run", "--")]
    [InlineData("no command after --", "run", "--", "")]
    public async Task Main_CalledWrongly_SaysHowToIn64(string said, params string[] args)
    {
        var (code, _, error) = await CallAsync(args);

        Assert.Equal(64, code);
        Assert.Contains(said, Assert.Single(error.Split('\n', StringSplitOptions.RemoveEmptyEntries)), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("usage: gang-agent run", "--help")]
    [InlineData("usage: gang-agent run", "run", "--help")]
    [InlineData("gang-agent 0.", "version")]
    public async Task Main_AskedForWords_PrintsThemAndEndsWell(string said, params string[] args)
    {
        var (code, output, error) = await CallAsync(args);

        Assert.Equal((0, ""), (code, error));
        Assert.Contains(said, output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Ready_OfAPodWithoutAReleasedAgent_IsNotReady()
    {
        var (code, output, error) = await CallAsync(v => v["POD_UID"] = "no-such-pod", "ready");

        Assert.Equal((1, "", "gang-agent: waiting at the gang's barrier\n"), (code, output, error));
    }

    [Fact]
    public async Task Sidecar_WithoutEnvironment_NamesWhatIsMissing()
    {
        var (code, _, error) = await CallAsync("sidecar");

        Assert.Equal(64, code);
        Assert.Contains("missing environment variables: ", error, StringComparison.Ordinal);
    }

    [NativeFact]
    public async Task Install_ToAPath_MakesARunningCopy()
    {
        var target = Path.Combine(_root, "deep", "gang-agent");

        Assert.Equal((0, "", ""), await CallAsync("install", target));
        Assert.Equal((0, "", ""), await CallAsync("install", target));

        var (code, output, _) = await CallProgramAsync(target, null, "version");
        Assert.Equal(0, code);
        Assert.StartsWith("gang-agent ", output, StringComparison.Ordinal);
        Assert.Equal([target], Directory.GetFiles(Path.GetDirectoryName(target)!));
    }

    [NativeFact]
    public async Task Install_WhereItCannotBe_SaysWhy()
    {
        var (code, _, error) = await CallAsync("install", "/proc/nowhere/gang-agent");

        Assert.Equal(73, code);
        Assert.StartsWith("gang-agent: cannot install to /proc/nowhere/gang-agent: ", error, StringComparison.Ordinal);
    }

    private static Task<(int Code, string Output, string Error)> CallAsync(params string[] args) => CallProgramAsync(AgentTest.Program, null, args);

    private static Task<(int Code, string Output, string Error)> CallAsync(Action<IDictionary<string, string?>> change, params string[] args) =>
        CallProgramAsync(AgentTest.Program, change, args);

    private static async Task<(int Code, string Output, string Error)> CallProgramAsync(string program, Action<IDictionary<string, string?>>? change, params string[] args)
    {
        var info = new ProcessStartInfo(program, args) { RedirectStandardError = true, RedirectStandardOutput = true };
        change?.Invoke(info.Environment);
        using var process = Process.Start(info)!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync().WaitAsync(AgentTest.Limit);
        return (process.ExitCode, await output, await error);
    }
}
