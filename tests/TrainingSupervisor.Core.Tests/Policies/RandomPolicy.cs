using System.Collections.Immutable;

namespace TrainingSupervisor.Core.Tests.Policies;

/// <summary>Valid policies that use everything there is, by seed.</summary>
internal static class RandomPolicy
{
    private static readonly FailureKind[] Kinds = Enum.GetValues<FailureKind>();
    private static readonly RecoveryStrategy[] Strategies = Enum.GetValues<RecoveryStrategy>();
    private static readonly string[] Awkward = ["null", "true", "12", "1e3", "a: b", "- x", "#x", "é\n\t\"q\" \\", "😀", "~", "{", "\u2028x", "y", "0x1f", "=", "<<", "10m", "'"];

    /// <param name="random">Decides.</param>
    /// <param name="longest">The longest window of budgets and ladders.</param>
    /// <param name="roles">What rules may be for; null for any text.</param>
    public static RecoveryPolicy Make(Random random, TimeSpan longest, string[]? roles = null)
    {
        var rules = random.Next(0, 6);
        return RecoveryPolicy.Create(p =>
        {
            // A rule may catch all that a later one is for, which is a mistake, so each is for an earlier attempt than those before it.
            for (var i = 0; i < rules; i++) p.OnAny(r => Rule(random, r.Named($"{i} {Text(random)}").FromAttempt(rules - i), longest, roles));
            var (n, w, b) = Budget(random, longest);
            p.WithBudget(n, w, b);
            for (var i = random.Next(0, 3); i > 0; i--)
            {
                (n, w, b) = Budget(random, longest);
                p.WithKindBudget(Pick(random, Kinds), n, w, b);
            }

            (n, w, b) = Budget(random, longest);
            if (Coin(random)) p.WithWorkerBudget(n, w, b);
            (n, w, b) = Budget(random, longest);
            if (Coin(random)) p.WithNodeBudget(n, w, b);
            else if (Coin(random)) p.WithoutNodeBudget();
            if (Coin(random)) p.WithBackoff(Duration(random, longest), longest);
        });
    }

    private static RungBuilder Rule(Random random, RuleBuilder rule, TimeSpan longest, string[]? roles)
    {
        if (Coin(random)) rule.OfKind(Some(random, () => Pick(random, Kinds)));
        if (random.Next(4) == 0) rule.WithExitCode(Some(random, () => random.Next(1, 256)));
        if (random.Next(6) == 0) rule.WithSignal(Some(random, () => random.Next(1, 65)));
        if (random.Next(3) == 0) rule.InRole(roles is null ? Text(random) : Pick(random, roles));
        if (random.Next(4) == 0) rule.OnNode(roles is null ? Text(random) : "pool", roles is null ? Text(random) : Pick(random, ["a", "b"]));
        if (random.Next(4) == 0) rule.WithLog(Pick(random, ["CUDA error: \\d+", "^a|b$", "'\"<", "unlucky"]));
        var rung = Modify(random, rule.Use(Strategy(random, rungFollows: true)), longest);
        for (var i = random.Next(0, 3); i > 0; i--)
        {
            var strategy = Strategy(random, rungFollows: i > 1);
            rung.Then(strategy, random.Next(1, 4), Duration(random, longest), Pick(random, Enum.GetValues<RepeatScope>()));
            if (strategy is not (RecoveryStrategy.FailGang or RecoveryStrategy.Ignore)) Modify(random, rung, longest);
        }

        return rung;
    }

    private static RungBuilder Modify(Random random, RungBuilder rung, TimeSpan longest)
    {
        if (random.Next(3) == 0) rung.AvoidNode();
        if (random.Next(3) == 0) rung.CheckHealth();
        if (random.Next(3) == 0) rung.Quiesce(Duration(random, longest));
        if (random.Next(6) == 0) rung.WithoutQuiesce();
        if (random.Next(3) == 0) rung.Backoff(Duration(random, longest), longest);
        return rung;
    }

    // What restarts nothing has neither modifiers nor a rung after it.
    private static RecoveryStrategy Strategy(Random random, bool rungFollows)
    {
        var strategy = Pick(random, Strategies);
        return rungFollows && strategy is (RecoveryStrategy.FailGang or RecoveryStrategy.Ignore) ? RecoveryStrategy.Hybrid : strategy;
    }

    private static (int Recoveries, TimeSpan Window, int PaidBackAfter) Budget(Random random, TimeSpan longest) =>
        (random.Next(0, random.Next(2) == 0 ? 4 : 1000), Duration(random, longest), random.Next(0, 200));

    private static TimeSpan Duration(Random random, TimeSpan longest) => random.Next(3) switch
    {
        0 => TimeSpan.FromTicks(random.NextInt64(1, longest.Ticks)),
        1 => TimeSpan.FromSeconds(random.NextInt64(1, (long)longest.TotalSeconds)),
        _ => TimeSpan.FromMilliseconds(random.NextInt64(1, (long)longest.TotalMilliseconds)),
    };

    private static string Text(Random random) => Coin(random) ? Pick(random, Awkward)
        : string.Concat(Enumerable.Range(0, random.Next(1, 12)).Select(_ => (char)random.Next(' ', 0x180)));

    private static ImmutableArray<T> Some<T>(Random random, Func<T> make) => [.. Enumerable.Range(0, random.Next(1, 5)).Select(_ => make())];

    private static T Pick<T>(Random random, T[] from) => from[random.Next(from.Length)];

    private static bool Coin(Random random) => random.Next(2) == 0;
}
