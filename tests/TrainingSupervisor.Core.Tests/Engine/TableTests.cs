using CsCheck;
using TrainingSupervisor.Engine;

namespace TrainingSupervisor.Core.Tests.Engine;

public sealed class TableTests
{
    [Fact]
    public void Builder_AnyChanges_IsWhatADictionaryIs() =>
        Gen.Select(Gen.Int[0, 4], Gen.Int[0, 9], Gen.Int[0, 99]).Array[0, 60].Sample(changes =>
        {
            var model = new Dictionary<string, string>();
            var builder = Table<string>.Empty.ToBuilder();
            var kept = new List<(Table<string> Table, Dictionary<string, string> Then)>();
            foreach (var (what, which, value) in changes)
            {
                var name = $"pod-{which}";
                switch (what)
                {
                    case 0:
                        builder.Remove(name);
                        model.Remove(name);
                        break;
                    case 1:
                        kept.Add((builder.ToTable(), new(model)));
                        break;
                    case 2:
                        builder = builder.ToTable().ToBuilder();
                        break;
                    default:
                        builder[name] = $"{value}";
                        model[name] = $"{value}";
                        break;
                }

                Assert.Equal(model.GetValueOrDefault(name), builder.GetValueOrDefault(name));
                Assert.Equal(model.Count, builder.Count);
                Assert.Equal(model.Values.Order(), builder.Values.Order());
            }

            kept.Add((builder.ToTable(), model));
            foreach (var (table, then) in kept)
            {
                Assert.Equal(then.OrderBy(e => e.Key), table.OrderBy(e => e.Key));
                Assert.Equal((then.Count, then.Count == 0), (table.Count, table.IsEmpty));
                Assert.All(then, e => Assert.Equal((e.Value, e.Value, true), (table[e.Key], table.GetValueOrDefault(e.Key), table.ContainsKey(e.Key))));
                Assert.False(table.TryGetValue("other", out _));
            }
        });

    [Fact]
    public void ToTable_NothingChanged_IsTheSame()
    {
        var table = Table<string>.Empty.SetItem("a", "1");

        Assert.Same(table, table.ToBuilder().ToTable());
        Assert.NotSame(table, table.SetItem("a", "2"));
    }

    [Fact]
    public void Indexer_UnknownName_Throws()
    {
        Assert.Throws<KeyNotFoundException>(() => Table<string>.Empty["a"]);
        Assert.Throws<KeyNotFoundException>(() => Table<string>.Empty.ToBuilder()["a"]);
    }
}
