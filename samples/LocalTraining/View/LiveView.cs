using System.Globalization;
using LocalTraining.Running;
using Spectre.Console;

namespace LocalTraining.View;

/// <summary>Shows a run while it goes on: a live picture on a terminal, plain lines elsewhere.</summary>
internal static class LiveView
{
    private static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(150);

    public static async Task ShowAsync(RunState run, bool plain, Task finished)
    {
        if (plain || Console.IsOutputRedirected || !AnsiConsole.Profile.Capabilities.Interactive)
        {
            await PlainAsync(run, Console.Out, finished);
            return;
        }

        await AnsiConsole.Live(Now(run)).AutoClear(false).StartAsync(async context =>
        {
            while (!finished.IsCompleted)
            {
                context.UpdateTarget(Now(run));
                await Task.WhenAny(finished, Task.Delay(Pause));
            }

            context.UpdateTarget(Now(run));
        });
        await finished;
    }

    /// <summary>A line for each event, and one for each tenth of the training.</summary>
    public static async Task PlainAsync(RunState run, TextWriter output, Task finished)
    {
        var writing = new Lock();
        void Line(DateTimeOffset at, string level, string text)
        {
            lock (writing) output.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{(at - run.Started).TotalSeconds,7:0.00} s  {level,-7} {text}"));
        }

        void Write(EventLine e) => Line(e.At, e.Level, e.Text);
        foreach (var e in run.Events()) Write(e);
        run.Happened += Write;
        try
        {
            var tenths = 0L;
            while (!finished.IsCompleted)
            {
                await Task.WhenAny(finished, Task.Delay(Pause));
                if (run.Step * 10 / run.Steps <= tenths) continue;
                tenths = run.Step * 10 / run.Steps;
                Line(TimeProvider.System.GetUtcNow(), "info", $"step {run.Step} of {run.Steps}");
            }

            await finished;
        }
        finally
        {
            run.Happened -= Write;
        }
    }

    private static Screen Now(RunState run) => new(run, AnsiConsole.Profile.Width, AnsiConsole.Profile.Height);
}
